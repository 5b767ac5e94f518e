package compare

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"sluice/bench/lab"
)

// Commands to the check server: the first byte of a connection.
const (
	sayAddress     = 'a' // answers with the address that it was reached at
	sayClient      = 'c' // answers with the address that it was reached from
	answerAfterEnd = 'h' // reads to the FIN, then answers
	tellEnd        = 't' // answers with a byte, reads on, and tells how the stream ended
	resetNow       = 'r' // resets
)

// lateAnswer is more than one segment.
var lateAnswer = strings.Repeat("late ", 1000)

// checkServer listens on every address of the server.
type checkServer struct {
	ln      net.Listener
	ends    chan error // how streams of tellEnd ended
	running sync.WaitGroup
}

func newCheckServer(ns *lab.Namespace, port uint16) (*checkServer, error) {
	s := &checkServer{ends: make(chan error, 1)}
	err := ns.Do(func() (err error) {
		s.ln, err = net.Listen("tcp4", fmt.Sprintf(":%d", port))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("check server: %w", err)
	}
	s.running.Go(func() {
		for {
			conn, err := s.ln.Accept()
			if err != nil {
				return
			}
			s.running.Go(func() { s.serve(conn.(*net.TCPConn)) })
		}
	})
	return s, nil
}

// serve obeys one connection's command. What fails is seen at the client.
func (s *checkServer) serve(conn *net.TCPConn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(checkWait))
	command := make([]byte, 1)
	if _, err := io.ReadFull(conn, command); err != nil {
		return
	}
	switch command[0] {
	case sayAddress:
		_, _ = io.WriteString(conn, conn.LocalAddr().(*net.TCPAddr).AddrPort().Addr().Unmap().String())
	case sayClient:
		_, _ = io.WriteString(conn, conn.RemoteAddr().(*net.TCPAddr).AddrPort().String())
	case answerAfterEnd:
		if _, err := io.Copy(io.Discard, conn); err == nil {
			_, _ = io.WriteString(conn, lateAnswer)
		}
	case tellEnd:
		_, _ = conn.Write(command)
		_, err := io.Copy(io.Discard, conn)
		select {
		case s.ends <- orEnd(err):
		default: // nobody waits any more
		}
	case resetNow:
		_ = conn.SetLinger(0)
	}
}

func (s *checkServer) close() {
	_ = s.ln.Close()
	s.running.Wait()
}
