package serve

import (
	"bytes"
	"net"
	"os"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"

	"sluice/bench/frame"
)

// reactors answer the requests of the connections that last: a gnet event loop for
// each CPU, and no goroutine for the connection.
//
// gnet closes a connection as soon as it reads its end (v2.9.7, eventloop.read), and
// what could not be sent by then is lost. So nothing ever waits to be sent in a reactor:
// a connection of which a response does not go out whole returns to a goroutine, as one
// does whose bytes are not small, whole requests. gnet does not accept either: a process
// out of descriptors would end its loops and all their connections (eventloop.accept).
// What it calls a client is its loops without listeners.
type reactors struct {
	gnet.BuiltinEventEngine
	server *Server
	pool   *gnet.Client
}

// silent keeps gnet, whose logger is the process's, from writing to standard output.
type silent struct{}

func (silent) Debugf(string, ...any) {}
func (silent) Infof(string, ...any)  {}
func (silent) Warnf(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(string, ...any) {}

func (s *Server) startReactors() (*reactors, error) {
	r := &reactors{server: s}
	var err error
	if r.pool, err = gnet.NewClient(r, gnet.WithMulticore(true), gnet.WithLogger(silent{})); err != nil {
		return nil, err
	}
	if err := r.pool.Start(); err != nil {
		return nil, err // Start has closed what it opened
	}
	return r, nil
}

// take moves a connection whose requests were all answered to the reactors, with its
// answerer. The caller closes its own descriptor either way, and shuts nothing down once
// it has moved; where there is no descriptor to spare, it stays.
func (r *reactors) take(conn *net.TCPConn, a *answerer) bool {
	f, err := conn.File()
	if err != nil {
		return false
	}
	defer f.Close()
	twin, err := net.FileConn(f) // Enroll closes what it is given, also when it fails
	if err != nil {
		return false
	}
	_, err = r.pool.EnrollContext(twin, a)
	return err == nil
}

// OnTraffic answers the whole requests that have arrived. Event loop.
func (r *reactors) OnTraffic(c gnet.Conn) gnet.Action {
	a := c.Context().(*answerer)
	for c.InboundBuffered() >= frame.HeaderSize {
		head, err := c.Peek(frame.HeaderSize)
		if err != nil {
			return gnet.Close
		}
		h, err := frame.ParseHeader(head)
		size := int(h.Size)
		if err != nil || size < frame.HeaderSize || max(size, int(h.Reply)) > gnet.MaxStreamBufferCap {
			return r.release(c, a, nil)
		}
		if c.InboundBuffered() < size {
			return gnet.None
		}
		b, err := c.Peek(size)
		if err != nil {
			return gnet.Close
		}
		reply := a.response(frame.Parse(b))
		if _, err := c.Discard(size); err != nil {
			return gnet.Close
		}
		n, err := unix.Write(c.Fd(), reply)
		if err != nil && err != unix.EAGAIN {
			return gnet.Close
		}
		if n = max(n, 0); n < len(reply) {
			return r.release(c, a, reply[n:])
		}
	}
	return gnet.None
}

// release returns a connection to a goroutine, by a descriptor of its own: gnet closes
// the one that it has. Without one to spare, the connection ends. Event loop.
func (r *reactors) release(c gnet.Conn, a *answerer, unsent []byte) gnet.Action {
	read, err := c.Peek(-1)
	if err != nil {
		return gnet.Close
	}
	read = bytes.Clone(read)
	fd, err := c.Dup()
	if err != nil {
		return gnet.Close
	}
	f := os.NewFile(uintptr(fd), "tcp")
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		return gnet.Close
	}
	if !r.server.enter(conn, func() { a.resume(conn.(*net.TCPConn), unsent, read) }) {
		_ = conn.Close() // the server is closing
	}
	return gnet.Close
}
