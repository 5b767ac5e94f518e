package mice

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"sluice/bench/dgram"
)

const (
	// think is the pause between an answer and the next request.
	think = time.Millisecond
	// answerTime is how long an answer is waited for: of TCP, the most that an
	// exchange may take.
	answerTime = 5 * time.Second
	// echoLook is how often an idle echo looks whether it is to end.
	echoLook = 100 * time.Millisecond
)

// mouse is the two ends of an exchange. Its echo has a thread of its own.
type mouse struct {
	datagrams bool
	fd        int
	closing   atomic.Bool
	echo      sync.WaitGroup
}

// open starts the echo and connects to it.
func open(p Path) (*mouse, error) {
	m := &mouse{datagrams: p.Network == "udp"}
	kind := unix.SOCK_STREAM
	if m.datagrams {
		kind = unix.SOCK_DGRAM
	}
	family := unix.AF_INET
	if p.Echo.Addr().Is6() {
		family = unix.AF_INET6
	}
	server, err := socket(p.Server, family, kind, echoLook)
	if err != nil {
		return nil, err
	}
	err = os.NewSyscallError("bind", unix.Bind(server, dgram.Sockaddr(p.Echo)))
	if err == nil && !m.datagrams {
		err = os.NewSyscallError("listen", unix.Listen(server, 1))
	}
	if err != nil {
		unix.Close(server)
		return nil, fmt.Errorf("echo at %s: %w", p.Echo, err)
	}
	m.echo.Go(func() { m.serve(server) })
	if m.fd, err = socket(p.Client, family, kind, answerTime); err != nil {
		m.fd = -1
	} else if err = os.NewSyscallError("connect", retry(func() error { return unix.Connect(m.fd, dgram.Sockaddr(p.Echo)) })); err != nil {
		err = fmt.Errorf("mouse to %s: %w", p.Echo, err)
	}
	if err != nil {
		return nil, errors.Join(err, m.close())
	}
	return m, nil
}

// socket opens a blocking socket whose calls end after a time.
func socket(within func(func() error) error, family, kind int, timeout time.Duration) (fd int, err error) {
	err = within(func() (err error) {
		fd, err = unix.Socket(family, kind|unix.SOCK_CLOEXEC, 0)
		return os.NewSyscallError("socket", err)
	})
	if err != nil {
		return -1, err
	}
	limit := unix.NsecToTimeval(int64(timeout))
	for _, option := range []int{unix.SO_RCVTIMEO, unix.SO_SNDTIMEO} {
		if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, option, &limit); err != nil {
			unix.Close(fd)
			return -1, os.NewSyscallError("setsockopt", err)
		}
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) // a restart within a minute is all that it is for
	return fd, nil
}

// serve returns bytes until the mouse is closed.
func (m *mouse) serve(fd int) {
	preempting(func() {
		defer func() { unix.Close(fd) }()
		for !m.datagrams && !m.closing.Load() {
			conn, _, err := unix.Accept4(fd, unix.SOCK_CLOEXEC)
			if err == nil {
				unix.Close(fd)
				fd = conn // has the listener's time limits (tcp_v4_syn_recv_sock copies the socket)
				break
			}
		}
		var b [64]byte
		for !m.closing.Load() {
			n, from, err := unix.Recvfrom(fd, b[:], 0)
			switch {
			case err != nil:
			case m.datagrams:
				_ = unix.Sendto(fd, b[:n], 0, from) // a lost answer is counted by who asked
			case n == 0:
				return
			default:
				_, _ = unix.Write(fd, b[:n])
			}
		}
	})
}

// exchange asks for a time, one request after the other.
func (m *mouse) exchange(ctx context.Context, d time.Duration, lost *int) (l Latency, err error) {
	preempting(func() {
		var took []time.Duration
		var b [64]byte
		for end := time.Now().Add(d); time.Now().Before(end) && err == nil && ctx.Err() == nil; {
			began := time.Now()
			err = m.ask(b[:])
			switch {
			case err == nil:
				took = append(took, time.Since(began))
			case m.datagrams && errors.Is(err, unix.EAGAIN):
				*lost++
				err = nil
			}
			pause := unix.NsecToTimespec(int64(think))
			_ = unix.Nanosleep(&pause, nil) // a signal of the Go scheduler shortens it
		}
		l = sumUp(took)
	})
	return l, errors.Join(err, ctx.Err())
}

func (m *mouse) ask(b []byte) error {
	if _, err := unix.Write(m.fd, b[:1]); err != nil {
		return os.NewSyscallError("write", err)
	}
	n := 0
	err := retry(func() (err error) { n, err = unix.Read(m.fd, b); return err })
	if err == nil && n == 0 {
		return errors.New("the connection was ended")
	}
	return os.NewSyscallError("read", err)
}

// retry calls again what a signal of the Go scheduler has interrupted.
func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

func (m *mouse) close() (err error) {
	m.closing.Store(true)
	if m.fd >= 0 {
		err = os.NewSyscallError("close", unix.Close(m.fd))
	}
	m.echo.Wait()
	return err
}

// preempting runs a function on a thread that need not wait for a CPU that others
// use, as far as that is permitted. The thread ends with it.
func preempting(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked
		fifo := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1}
		_ = unix.SchedSetAttr(0, &fifo, 0) // without the right to it the mouse waits its turn
		f()
	}()
	<-done
}
