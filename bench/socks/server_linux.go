package socks

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"

	"sluice/bench/dgram"
)

// Options shape a server.
type Options struct {
	Listen  []netip.AddrPort // for SOCKS5
	Relays  []Relay
	Answers []netip.AddrPort // destinations whose place it takes: each request gets a page of HTTP
	Workers int              // threads; 0: one for each CPU
	// Enter runs what it is given inside the network namespace that the server is to
	// be in, on a thread of its own; nil: that of the process.
	Enter func(func() error) error
}

// Relay is a listener that leads to one destination without a greeting.
type Relay struct {
	Listen, Dest netip.AddrPort
}

// backlog is how many connections may wait for a worker, at each listener.
const backlog = 4096

// Server is a running server.
type Server struct {
	workers []*worker
	running sync.WaitGroup
}

// Listen opens every address and serves until Close.
func Listen(o Options) (*Server, error) {
	if o.Workers == 0 {
		o.Workers = runtime.NumCPU()
	}
	if o.Enter == nil {
		o.Enter = func(fn func() error) error { return fn() }
	}
	s := &Server{}
	err := o.Enter(func() error {
		for range o.Workers {
			w, err := newWorker(o)
			if err != nil {
				return err
			}
			s.workers = append(s.workers, w)
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	for _, w := range s.workers {
		s.running.Go(func() { _ = o.Enter(w.run) }) // Listen has entered before
	}
	return s, nil
}

// Close ends every connection.
func (s *Server) Close() error {
	var errs []error
	for _, w := range s.workers {
		errs = append(errs, w.wake())
	}
	s.running.Wait()
	for _, w := range s.workers {
		errs = append(errs, w.close())
	}
	s.workers = nil
	return errors.Join(errs...)
}

// listenTCP opens a listener that several workers share.
func listenTCP(at netip.AddrPort) (int, error) {
	family := unix.AF_INET
	if at.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	for _, option := range [][3]int{
		{unix.SOL_SOCKET, unix.SO_REUSEADDR, 1}, {unix.SOL_SOCKET, unix.SO_REUSEPORT, 1},
		{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1}, // accepted sockets inherit it
	} {
		err = errors.Join(err, os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, option[0], option[1], option[2])))
	}
	if family == unix.AF_INET6 {
		err = errors.Join(err, os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1)))
	}
	if err == nil {
		err = os.NewSyscallError("bind", unix.Bind(fd, dgram.Sockaddr(at)))
	}
	if err == nil {
		err = os.NewSyscallError("listen", unix.Listen(fd, backlog))
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("socks: listen on %v: %w", at, err)
	}
	return fd, nil
}
