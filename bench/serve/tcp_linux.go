package serve

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"

	"sluice/bench/frame"
)

const (
	// smallBuffer is what an idle connection costs, in bytes.
	smallBuffer = 1 << 10
	// streamBuffer is what a stream is read and written with, in bytes.
	streamBuffer = 256 << 10
	// acceptPause is the wait after a failed accept (out of descriptors).
	acceptPause = 10 * time.Millisecond
	// sourceLimit bounds a source, whatever its client asks for: the longest load and
	// some more.
	sourceLimit = time.Hour + 10*time.Minute
)

func (s *Server) accept(ln net.Listener) {
	for {
		conn, err := ln.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			time.Sleep(acceptPause)
		case !s.enter(conn, func() { s.serveTCP(conn.(*net.TCPConn)) }):
			_ = conn.Close() // the server is closing
		}
	}
}

// serveTCP does what the first frame asks for. A failed connection ends; its
// client is the one that counts failures.
func (s *Server) serveTCP(conn *net.TCPConn) {
	r := frame.NewReader(conn, smallBuffer)
	kind := frame.Echo
	if first := r.Peek(len(frame.Magic)); bytes.HasPrefix(first, []byte(frame.Magic)) {
		h, err := frame.ParseHeader(r.Peek(frame.HeaderSize))
		if err != nil {
			return
		}
		kind = h.Kind
	}
	switch kind {
	case frame.Request:
		if s.answer(conn, r) {
			return // what is shut down here ends there too
		}
	case frame.Sink:
		sink(conn, r)
	case frame.Source:
		source(conn, r)
	default:
		if _, err := conn.Write(r.Buffered()); err == nil {
			_, _ = io.Copy(conn, conn) // the client sees what is missing
		}
	}
	_ = conn.CloseWrite() // before Close, which resets where bytes are unread
}

// sink verifies the stream and sends the report after its end.
func sink(conn net.Conn, r *frame.Reader) {
	r.Grow(streamBuffer)
	var c frame.StreamCheck
	for {
		h, _, err := r.Next()
		if err == io.EOF {
			break
		}
		if errors.Is(err, frame.ErrMagic) || errors.Is(err, frame.ErrSize) {
			c.Corrupt++
			_, _ = io.Copy(io.Discard, conn) // or the writer would never come to its end
			break
		}
		if err != nil && !errors.Is(err, frame.ErrChecksum) {
			return
		}
		c.Arrive(h, err)
	}
	_, _ = conn.Write(frame.New(frame.Header{Kind: frame.Report, Flow: c.Flow}, c.Stats.Append(nil)))
}

// source sends frames until the client closes its half, then the report.
func source(conn net.Conn, r *frame.Reader) {
	h, b, err := r.Next()
	if err != nil {
		return
	}
	spec, err := frame.ParseSource(b[frame.HeaderSize:])
	if err != nil {
		return
	}
	var ended atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(io.Discard, conn) // until the client's FIN, or a failure that Write meets too
		ended.Store(true)
	}()
	block := frame.NewBlock(streamBuffer, int(spec.Size))
	head := frame.Header{Kind: frame.Data, Flow: h.Flow}
	var sent frame.Stats
	for deadline := time.Now().Add(min(spec.Duration, sourceLimit)); !ended.Load() && time.Now().Before(deadline); {
		bytes, n := block.Put(head)
		if _, err := conn.Write(bytes); err != nil {
			break
		}
		head.Seq += uint64(n)
		sent.Frames += uint64(n)
		sent.Bytes += uint64(len(bytes))
	}
	_, _ = conn.Write(frame.New(frame.Header{Kind: frame.Report, Flow: h.Flow}, sent.Append(nil)))
	_ = conn.(*net.TCPConn).CloseWrite()
	<-done
}
