package serve

import (
	"bytes"
	"errors"
	"io"
	"net"

	"sluice/bench/frame"
)

// lasting is how many requests a connection asks on its goroutine before it moves to
// the reactors. A move costs some tens of microseconds of CPU time and a request there
// about three less (BenchmarkRequests), so a connection for each request, or one that is
// only held, does better to stay.
const lasting = 16

// answerer makes the responses of one connection. What serves the connection owns it.
type answerer struct {
	slot frame.Slot
	size int // of the slot; 0: none yet
}

// response is the answer to a frame, as frame.Parse returned it: valid until the next
// call, and nil where the bytes are no request that anybody can answer.
func (a *answerer) response(h frame.Header, err error) []byte {
	reply := frame.Header{Kind: frame.Response, Flow: h.Flow, Seq: h.Seq, Stamp: h.Stamp}
	want := min(max(int(h.Reply), frame.HeaderSize), frame.MaxStreamFrame)
	switch {
	case errors.Is(err, frame.ErrChecksum):
		reply.Kind, want = frame.Refused, frame.HeaderSize
	case err != nil:
		return nil
	}
	if want != a.size {
		a.slot, a.size = frame.NewSlot(make([]byte, want), h.Flow), want
	}
	return a.slot.Put(reply)
}

// answer sends a response for each request until the client has no more, or until the
// connection has moved to the reactors, which it tells.
func (s *Server) answer(conn *net.TCPConn, r *frame.Reader) (moved bool) {
	a := new(answerer)
	for n := 0; ; n++ {
		if n == s.lasting && len(r.Buffered()) == 0 && s.reactors.take(conn, a) {
			return true
		}
		if !a.next(conn, r) {
			return false
		}
	}
}

// resume goes on where a reactor left off: with what it could not send and what it had
// read. The connection stays, since what made it leave is likely to come again.
func (a *answerer) resume(conn *net.TCPConn, unsent, read []byte) {
	if _, err := conn.Write(unsent); err != nil {
		return
	}
	r := frame.NewReader(io.MultiReader(bytes.NewReader(read), conn), smallBuffer)
	for a.next(conn, r) {
	}
	_ = conn.CloseWrite() // before Close, which resets where bytes are unread
}

// next answers one request; false where there is none any more.
func (a *answerer) next(conn net.Conn, r *frame.Reader) bool {
	h, _, err := r.Next()
	b := a.response(h, err)
	if b == nil {
		return false
	}
	_, err = conn.Write(b)
	return err == nil
}
