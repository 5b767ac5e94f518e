package load

import (
	"context"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sluice/bench/dgram"
)

const (
	// dialers is how many connections are opened at once.
	dialers = 64
	// dialTime bounds the opening of one: three SYNs, after 0, 1 and 3 seconds.
	dialTime = 5 * time.Second
)

// dial opens connection i of the load.
func (r *run) dial(ctx context.Context, i int) (conn *net.TCPConn, err error) {
	d := net.Dialer{Timeout: dialTime}
	d.SetMultipathTCP(false)
	if r.From.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(r.source(i))
		d.Control = bindWithoutPort
	}
	err = r.Enter(func() error {
		c, err := d.DialContext(ctx, "tcp", r.Target.String())
		if err == nil {
			conn = c.(*net.TCPConn)
		}
		return err
	})
	return conn, err
}

// dialFD opens connection i as a bare non-blocking descriptor, for netpoll.
func (r *run) dialFD(i int) (fd int, err error) {
	family := unix.AF_INET
	if r.Target.Addr().Is6() {
		family = unix.AF_INET6
	}
	err = r.Enter(func() (err error) {
		fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		return os.NewSyscallError("socket", err)
	})
	if err != nil {
		return -1, err
	}
	defer func() {
		if err != nil {
			_ = unix.Close(fd)
		}
	}()
	if r.From.IsValid() {
		_ = unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1) // fewer ports are all that is lost
		if err = unix.Bind(fd, dgram.Sockaddr(r.source(i))); err != nil {
			return -1, fmt.Errorf("bind %s: %w", r.source(i), err)
		}
	}
	limit := unix.NsecToTimeval(int64(dialTime))
	if err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit); err != nil {
		return -1, os.NewSyscallError("setsockopt", err)
	}
	if err = connect(fd, dgram.Sockaddr(r.Target)); err != nil {
		return -1, fmt.Errorf("connect %s: %w", r.Target, err)
	}
	if err = unix.SetsockoptInt(fd, unix.SOL_TCP, unix.TCP_NODELAY, 1); err != nil {
		return -1, os.NewSyscallError("setsockopt", err)
	}
	return fd, os.NewSyscallError("fcntl", unix.SetNonblock(fd, true))
}

// connect waits at most SO_SNDTIMEO, after which connect(2) fails with EINPROGRESS.
// Go's runtime may interrupt it by a signal.
func connect(fd int, to unix.Sockaddr) error {
	for {
		switch err := unix.Connect(fd, to); err {
		case unix.EINTR, unix.EALREADY:
		case unix.EISCONN:
			return nil
		case unix.EINPROGRESS:
			return os.ErrDeadlineExceeded
		default:
			return err
		}
	}
}

// bindWithoutPort leaves the choice of the port to connect, which can use one port
// towards many destinations (ip(7), IP_BIND_ADDRESS_NO_PORT).
func bindWithoutPort(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1) // fewer ports are all that is lost
	})
}

// dialAll opens every connection of the load, several at once, and hands each to
// take; take may be called by several goroutines. Those that fail are counted. The
// histogram holds how long connecting took.
func (r *run) dialAll(ctx context.Context, take func(i, fd int)) {
	var running sync.WaitGroup
	for d := range min(dialers, r.Flows) {
		running.Go(func() {
			var t tally
			for i := d; i < r.Flows && ctx.Err() == nil; i += dialers {
				begin := time.Now()
				fd, err := r.dialFD(i)
				if err != nil {
					t.faults.fail(err)
					r.progress.Faults.Add(1)
					continue
				}
				if r.Test == TCPIdle {
					t.latency.record(int64(time.Since(begin)))
				}
				take(i, fd)
			}
			r.add(&t)
		})
	}
	running.Wait()
}
