//go:build linux

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/bench/inject"
)

// unnamed are errors that no manual page names for the calls below.
var unnamed = []syscall.Errno{unix.EIO, unix.ENOSYS, unix.EUCLEAN, unix.ENODEV}

// faulty are the calls that carrying makes, with the errors that their manual
// pages name. EAGAIN is missing where a reactor waits for the next edge after
// it: none would come, since there was something; likewise shutdown's ENOTCONN,
// which an edge with the reset accompanies. close(2) is missing: the kernel closes
// also when it fails, an injected failure would not.
var faulty = []struct {
	name   string
	call   uintptr
	errnos []syscall.Errno
	flags  []string // of sluice, so that it makes the call, and by itself
}{
	{"accept4", unix.SYS_ACCEPT4, []syscall.Errno{unix.ECONNABORTED, unix.EINTR, unix.EINVAL, unix.EMFILE, unix.ENFILE,
		unix.ENOBUFS, unix.ENOMEM, unix.EPERM, unix.EPROTO, unix.ENETDOWN, unix.ENOPROTOOPT, unix.EHOSTDOWN, unix.ENONET,
		unix.EHOSTUNREACH, unix.EOPNOTSUPP, unix.ENETUNREACH, unix.ETIMEDOUT, unix.EBADF}, nil},
	{"socket", unix.SYS_SOCKET, []syscall.Errno{unix.EACCES, unix.EAFNOSUPPORT, unix.EINVAL, unix.EMFILE, unix.ENFILE,
		unix.ENOBUFS, unix.ENOMEM, unix.EPROTONOSUPPORT}, nil},
	{"connect", unix.SYS_CONNECT, []syscall.Errno{unix.EACCES, unix.EPERM, unix.EADDRINUSE, unix.EADDRNOTAVAIL, unix.EAFNOSUPPORT,
		unix.EAGAIN, unix.EALREADY, unix.EBADF, unix.ECONNREFUSED, unix.EFAULT, unix.EINTR, unix.EISCONN, unix.ENETUNREACH,
		unix.ENOTSOCK, unix.EPROTOTYPE, unix.ETIMEDOUT, unix.EHOSTUNREACH}, nil},
	{"getsockname", unix.SYS_GETSOCKNAME, []syscall.Errno{unix.EBADF, unix.EFAULT, unix.EINVAL, unix.ENOBUFS, unix.ENOTSOCK}, nil},
	{"getsockopt", unix.SYS_GETSOCKOPT, []syscall.Errno{unix.EBADF, unix.EFAULT, unix.EINVAL, unix.ENOPROTOOPT, unix.ENOTSOCK, unix.ENOENT, unix.ENOTCONN}, nil},
	{"setsockopt", unix.SYS_SETSOCKOPT, []syscall.Errno{unix.EBADF, unix.EFAULT, unix.EINVAL, unix.ENOPROTOOPT, unix.ENOTSOCK, unix.EPERM, unix.ENOBUFS}, nil},
	{"epoll_ctl", unix.SYS_EPOLL_CTL, []syscall.Errno{unix.EBADF, unix.EEXIST, unix.EINVAL, unix.ELOOP, unix.ENOENT, unix.ENOMEM, unix.ENOSPC, unix.EPERM}, nil},
	{"recvfrom", unix.SYS_RECVFROM, []syscall.Errno{unix.EBADF, unix.ECONNREFUSED, unix.ECONNRESET, unix.EFAULT, unix.EINTR, unix.EINVAL,
		unix.ENOMEM, unix.ENOTCONN, unix.ENOTSOCK, unix.ETIMEDOUT, unix.EHOSTUNREACH}, []string{"--relay=copy", "--engine=epoll"}},
	{"sendto", unix.SYS_SENDTO, []syscall.Errno{unix.EACCES, unix.EALREADY, unix.EBADF, unix.ECONNRESET, unix.EDESTADDRREQ, unix.EFAULT,
		unix.EINTR, unix.EINVAL, unix.EISCONN, unix.EMSGSIZE, unix.ENOBUFS, unix.ENOMEM, unix.ENOTCONN, unix.ENOTSOCK, unix.EOPNOTSUPP,
		unix.EPIPE, unix.ETIMEDOUT, unix.EHOSTUNREACH}, []string{"--relay=copy", "--engine=epoll"}},
	{"splice", unix.SYS_SPLICE, []syscall.Errno{unix.EBADF, unix.EINVAL, unix.ENOMEM, unix.ESPIPE, unix.EPIPE, unix.ECONNRESET,
		unix.EINTR, unix.ETIMEDOUT}, []string{"--relay=splice"}},
	{"pipe2", unix.SYS_PIPE2, []syscall.Errno{unix.EFAULT, unix.EINVAL, unix.EMFILE, unix.ENFILE}, []string{"--relay=splice"}},
	{"shutdown", unix.SYS_SHUTDOWN, []syscall.Errno{unix.EBADF, unix.EINVAL, unix.ENOTSOCK}, nil},
	{"recvmmsg", unix.SYS_RECVMMSG, []syscall.Errno{unix.EBADF, unix.ECONNREFUSED, unix.EFAULT, unix.EINTR, unix.EINVAL, unix.ENOMEM,
		unix.ENOTSOCK, unix.EHOSTUNREACH, unix.EMSGSIZE}, []string{"--engine=epoll"}},
	{"sendmmsg", unix.SYS_SENDMMSG, []syscall.Errno{unix.EACCES, unix.EBADF, unix.ECONNREFUSED, unix.EFAULT, unix.EINTR, unix.EINVAL,
		unix.EMSGSIZE, unix.ENOBUFS, unix.ENOMEM, unix.EPERM, unix.EHOSTUNREACH, unix.ENETUNREACH, unix.EADDRNOTAVAIL, unix.EAGAIN}, []string{"--engine=epoll"}},
	{"sendmsg", unix.SYS_SENDMSG, []syscall.Errno{unix.EACCES, unix.EBADF, unix.EINTR, unix.EINVAL, unix.EMSGSIZE, unix.ENOBUFS, unix.EPERM}, []string{"--engine=epoll"}},
	{"io_uring_enter", unix.SYS_IO_URING_ENTER, []syscall.Errno{unix.EAGAIN, unix.EBADF, unix.EBADFD, unix.EBUSY, unix.EFAULT, unix.EINTR,
		unix.EINVAL, unix.ENXIO, unix.EOPNOTSUPP, unix.EPERM}, []string{"--relay=copy", "--engine=io_uring"}},
	{"bind", unix.SYS_BIND, []syscall.Errno{unix.EACCES, unix.EADDRINUSE, unix.EADDRNOTAVAIL, unix.EBADF, unix.EINVAL, unix.ENOTSOCK}, nil},
}

// TestEveryErrno makes each call fail in each way, once and several times
// running, beside connections and datagrams over all ways. Everybody comes to an
// end, soon; what failed is counted; sluice goes on, and serves the next ones; at
// the end nothing is left.
func TestEveryErrno(t *testing.T) {
	t.Parallel()
	for _, f := range faulty {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, setup{watch: []uintptr{f.call}, flags: append([]string{"--udp-timeout=2s", "--connect-timeout=2s"}, f.flags...)})
			g.shared = writeBackFDs
			for i := range portSpan {
				for _, w := range ways() {
					echoTCP(t, g.Server, w.dest(i))
				}
				for _, w := range udpWays() {
					startEcho(t, g.Server, w.dest(i))
				}
			}
			struck, port := 0, 0
			for _, errno := range slices.Concat(f.errnos, unnamed) {
				for _, times := range []int{1, 9} {
					fault := inject.Fault{Call: f.call, Errno: errno, Times: times}
					struck += g.suffer(t, fault, fmt.Sprintf("%s fails %d times with %v", f.name, times, errno), port)
					port = (port + 1) % portSpan
				}
			}
			if struck == 0 {
				t.Errorf("%s was never called", f.name)
			}
			g.assertIdle(t)
		})
	}
}

// suffer visits the i-th ports during a fault and after it, and returns how many
// times the fault has struck.
func (g *gateway) suffer(t *testing.T, fault inject.Fault, what string, i int) (struck int) {
	t.Helper()
	before := g.counters(t).blemishes()
	g.faults.Set(fault)
	failed := g.visitAll(i)
	struck = g.faults.Set(inject.Fault{})
	if g.ended() {
		t.Fatalf("%s: sluice ended: %v", what, g.exit)
	}
	if errors.Is(failed, os.ErrDeadlineExceeded) {
		t.Errorf("%s: never came to an end: %v", what, failed)
	}
	if failed != nil && !ofPeer(fault.Errno) && g.counters(t).blemishes() == before {
		t.Errorf("%s: nothing is counted but %v", what, failed)
	}
	if !eventually(patience, func() bool { failed = g.visitAll(i); return failed == nil }) {
		t.Fatalf("after %s: %v", what, failed)
	}
	return struck
}

// visitTime is how long a connection or datagram may take to come to an end.
const visitTime = 5 * time.Second

// visitAll goes to the i-th port of all ways, by TCP and UDP.
func (g *gateway) visitAll(i int) error {
	errs := make([]error, len(ways())+len(udpWays()))
	var all sync.WaitGroup
	for k, w := range ways() {
		all.Go(func() { errs[k] = g.visitTCP(w, i) })
	}
	for k, w := range udpWays() {
		all.Go(func() { errs[len(ways())+k] = g.visitUDP(w, i) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// ofPeer reports whether an error says what a peer did, or the network by ICMP
// (icmp_err_convert in net/ipv4/icmp.c): that is passed on, and no fault of the
// gateway's.
func ofPeer(errno syscall.Errno) bool {
	return slices.Contains([]syscall.Errno{unix.ECONNRESET, unix.EPIPE, unix.ETIMEDOUT, unix.ECONNREFUSED, unix.ECONNABORTED,
		unix.EHOSTUNREACH, unix.ENETUNREACH, unix.EHOSTDOWN, unix.EPROTO, unix.ENOPROTOOPT, unix.EACCES, unix.EOPNOTSUPP}, errno)
}

// blemishes are the sum of the counters of what did not go well.
func (e entry) blemishes() (n int) {
	ordinary := regexp.MustCompile("^(conns|tcp_bytes|udp_bytes|udp_sessions|datagrams)_")
	for name := range e {
		if !ordinary.MatchString(name) {
			n += e.number(name)
		}
	}
	return n
}

// visitTCP sends, half-closes and reads what comes back to its end.
func (g *gateway) visitTCP(w way, i int) error {
	question := payload(20_000)
	var answer []byte
	err := g.Client.Do(func() error {
		c, err := connect(netip.AddrPort{}, w.dest(i))
		if err != nil {
			return err
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(visitTime))
		if _, err := c.Write(question); err != nil {
			return err
		}
		if err := c.CloseWrite(); err != nil {
			return err
		}
		answer, err = io.ReadAll(c)
		return err
	})
	if err == nil && !bytes.Equal(answer, question) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("tcp %v: %w", w, err)
	}
	return nil
}

// visitUDP asks until it is answered: a datagram may be lost.
func (g *gateway) visitUDP(w way, i int) error {
	const tries = 12
	err := g.Client.Do(func() error {
		c, err := net.Dial("udp", w.dest(i).String())
		if err != nil {
			return err
		}
		defer c.Close()
		buf := make([]byte, 16)
		for range tries {
			_ = c.SetDeadline(time.Now().Add(visitTime / tries))
			for size := range 3 { // several at once: neither one message nor one run
				_, _ = c.Write(buf[:1+size*2]) // an error is what the network said of the last one
			}
			if _, err = c.Read(buf); err == nil {
				return nil
			}
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("udp %v: %w", w, err)
	}
	return nil
}
