package torture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"sluice/bench/lab"
)

// patience bounds what ought to come at once: longer than any of the connect
// timeouts that figures set.
const patience = 10 * time.Second

// dial connects from inside a namespace, from an address where it is valid.
func dial(ns *lab.Namespace, from netip.Addr, to netip.AddrPort, wait time.Duration) (conn *net.TCPConn, err error) {
	err = ns.Do(func() error {
		conn, err = dialHere(from, to, wait)
		return err
	})
	return conn, err
}

// dialHere is dial inside the caller's namespace.
func dialHere(from netip.Addr, to netip.AddrPort, wait time.Duration) (*net.TCPConn, error) {
	d := net.Dialer{Timeout: wait}
	d.SetMultipathTCP(false)
	if from.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
	}
	conn, err := d.Dial("tcp", to.String())
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(wait))
	return conn.(*net.TCPConn), nil
}

// exchange sends text to an echo and compares what comes back.
func exchange(conn net.Conn, text string) error {
	answer := make([]byte, len(text))
	if _, err := io.WriteString(conn, text); err != nil {
		return err
	}
	if _, err := io.ReadFull(conn, answer); err != nil {
		return err
	}
	if string(answer) != text {
		return fmt.Errorf("%q came as %q", text, answer)
	}
	return nil
}

// pingTCP is one connection with one exchange, inside the caller's namespace.
func pingTCP(to netip.AddrPort, wait time.Duration) error {
	conn, err := dialHere(netip.Addr{}, to, wait)
	if err != nil {
		return err
	}
	defer conn.Close()
	return exchange(conn, "ping")
}

// pingUDP is one datagram from a new socket and its echo, inside the caller's namespace.
func pingUDP(to netip.AddrPort, wait time.Duration) error {
	conn, err := net.Dial("udp", to.String())
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(wait))
	return exchange(conn, "ping")
}

// pings counts what became of exchanges.
type pings struct {
	ok, failed atomic.Int64
	hung       atomic.Int64 // of those that failed: at the deadline
	first      atomic.Pointer[string]
}

func (p *pings) count(err error) {
	switch {
	case err == nil:
		p.ok.Add(1)
		return
	case errors.Is(err, os.ErrDeadlineExceeded):
		p.hung.Add(1)
	}
	p.failed.Add(1)
	text := err.Error()
	p.first.CompareAndSwap(nil, &text)
}

// keep runs n loops of ping inside a namespace until ctx ends or stop is called; stop
// returns when all have ended.
func (p *pings) keep(ctx context.Context, ns *lab.Namespace, n int, pause time.Duration, ping func() error) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	for range n {
		running.Go(func() {
			_ = ns.Do(func() error {
				for ctx.Err() == nil {
					p.count(ping())
					if pause > 0 {
						pass(ctx, pause)
					}
				}
				return nil
			})
		})
	}
	return func() { cancel(); running.Wait() }
}

// abort closes a connection with a reset.
func abort(conn *net.TCPConn) {
	_ = conn.SetLinger(0)
	_ = conn.Close()
}

// wasReset tells an error that a reset gives, from a refused connection on.
func wasReset(err error) bool {
	return errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, unix.EPIPE)
}

// listen opens a listener in the server; it is closed with the stage.
func (s *stage) listen(v6 bool, port uint16) (*net.TCPListener, error) {
	var ln net.Listener
	err := s.Server.Do(func() (err error) {
		var lc net.ListenConfig
		lc.SetMultipathTCP(false)
		ln, err = lc.Listen(context.Background(), "tcp", dest(v6, port).String())
		return err
	})
	if err != nil {
		return nil, err
	}
	s.later(func() { ln.Close() })
	return ln.(*net.TCPListener), nil
}

// accepting serves every connection of a listener on a goroutine until it is closed.
func accepting(ln *net.TCPListener, serve func(*net.TCPConn)) {
	go func() {
		for {
			conn, err := ln.AcceptTCP()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				go func() {
					defer conn.Close()
					serve(conn)
				}()
			}
		}
	}()
}
