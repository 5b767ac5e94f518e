//go:build linux

package e2e

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/bench/lab"
)

const (
	sessionHosts  = 30   // clients of each family
	sessionPorts  = 2500 // of each client
	sessionFirst  = 20000
	sessionsOfOne = sessionHosts * sessionPorts // family
	sessionFDs    = 20_000
	// sessionWindow is how many datagrams are on their way at once: too few for a
	// listener of sluice to count as behind, however busy the machine is.
	sessionWindow = 128
)

// TestSourceManySessions has 150,000 sessions at once within 20,000 fds: each asks
// and is answered twice, none is lost, and the server sees each client's own end.
func TestSourceManySessions(t *testing.T) {
	t.Parallel()
	g := launch(t, lab.For(t, lab.Options{}), setup{plain: true,
		under:  []string{needProgram(t, "prlimit", "util-linux"), fmt.Sprintf("--nofile=%d:%[1]d", sessionFDs)},
		listen: []string{fmt.Sprintf("--tproxy=:%d", tproxyPort)},
		flags: []string{"--source=client", "--install-rules", "--iface=" + lab.LAN, "--reactors=2", "--udp-timeout=1m",
			"--udp-sessions=160000", "--client-sessions=off"}})
	g.untilReady(t)
	g.forgetFlows(t)
	run(t, g.Client, "nft", "add table inet quiet; add chain inet quiet out { type filter hook output priority 0; };"+
		"add rule inet quiet out icmp type destination-unreachable drop; add rule inet quiet out icmpv6 type destination-unreachable drop;")
	before := g.counters(t)
	for range 2 {
		for _, w := range udpWays() {
			var strangers atomic.Int64
			stop := answerNamed(t, g.Server, w, &strangers)
			if err := inside(t, g.Client, func() (*askers, error) { return newAskers(w) }).round(); err != nil {
				t.Fatalf("%v: %v", w, err)
			}
			stop()
			if n := strangers.Load(); n > 0 {
				t.Errorf("%v: the server saw %d of %d under another address or port", w, n, sessionsOfOne)
			}
		}
		c := g.counters(t)
		if now, opened := c.number("udp_sessions_now"), c.number("udp_sessions_opened")-before.number("udp_sessions_opened"); now != 2*sessionsOfOne || opened != now {
			t.Errorf("%d sessions, %d were opened, want %d", now, opened, 2*sessionsOfOne)
		}
	}
	t.Logf("%d fds, %d MB for %d sessions", g.FDs(), g.Memory()>>20, g.counters(t).number("udp_sessions_now"))
	if n := g.FDs(); n > sessionFDs {
		t.Errorf("%d fds", n)
	}
}

// forgetFlows has the gateway's conntrack, which holds 262,144 on most machines,
// keep no entry for longer than an answer takes.
func (g *gateway) forgetFlows(t *testing.T) {
	t.Helper()
	if err := errors.Join(g.Gateway.Sysctl("net/netfilter/nf_conntrack_udp_timeout", "2"),
		g.Gateway.Sysctl("net/netfilter/nf_conntrack_udp_timeout_stream", "2")); err != nil {
		t.Fatal(err)
	}
}

// askers are all clients of one family, behind one raw socket, which has copies of
// all that comes to the client's namespace (raw(7)).
type askers struct {
	w        way
	fd       int
	answered []bool
	in, oob  []byte
	out      []byte
}

func newAskers(w way) (*askers, error) {
	a := &askers{w: w, answered: make([]bool, sessionsOfOne), in: make([]byte, 256), oob: make([]byte, 256), out: make([]byte, 12)}
	family, level, option := unix.AF_INET, unix.SOL_IP, unix.IP_PKTINFO
	if w.v6 {
		family, level, option = unix.AF_INET6, unix.SOL_IPV6, unix.IPV6_RECVPKTINFO
	}
	var err error
	if a.fd, err = unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP); err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	const room, checksumAt = 64 << 20, 6 // bytes
	err = errors.Join(unix.SetsockoptInt(a.fd, level, option, 1),
		unix.SetsockoptInt(a.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, room),
		unix.SetsockoptTimeval(a.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: int64(patience / time.Second)}))
	if w.v6 { // over IPv4 0 is no checksum
		err = errors.Join(err, unix.SetsockoptInt(a.fd, unix.IPPROTO_IPV6, unix.IPV6_CHECKSUM, checksumAt))
	}
	return a, err
}

// end is the address and port of the i-th session.
func (w way) end(i int) netip.AddrPort {
	addr := w.pick("10.78.1.0", "fd78::1:0").AsSlice()
	addr[len(addr)-1] = byte(1 + i/sessionPorts)
	from, _ := netip.AddrFromSlice(addr)
	return netip.AddrPortFrom(from, uint16(sessionFirst+i%sessionPorts))
}

// round has each session ask once, and waits for all answers.
func (a *askers) round() error {
	defer unix.Close(a.fd)
	sent, got := 0, 0
	for got < sessionsOfOne {
		for sent < sessionsOfOne && sent-got < sessionWindow {
			if err := a.ask(sent); err != nil {
				return fmt.Errorf("session %d asks: %w", sent, err)
			}
			sent++
		}
		i, err := a.answer()
		if err != nil {
			return fmt.Errorf("%d of %d that asked have no answer: %w", sent-got, sent, err)
		}
		if i >= 0 && a.answered[i] {
			return fmt.Errorf("session %d has two answers", i)
		}
		if i >= 0 {
			a.answered[i] = true
			got++
		}
	}
	return nil
}

func (a *askers) ask(i int) error {
	from, to := a.w.end(i), a.w.dest(0)
	binary.BigEndian.PutUint16(a.out, from.Port())
	binary.BigEndian.PutUint16(a.out[2:], to.Port())
	binary.BigEndian.PutUint16(a.out[4:], uint16(len(a.out)))
	binary.BigEndian.PutUint16(a.out[6:], 0)
	binary.BigEndian.PutUint32(a.out[8:], uint32(i))
	if a.w.v6 {
		return unix.Sendmsg(a.fd, a.out, unix.PktInfo6(&unix.Inet6Pktinfo{Addr: from.Addr().As16()}),
			&unix.SockaddrInet6{Addr: to.Addr().As16()}, 0)
	}
	return unix.Sendmsg(a.fd, a.out, unix.PktInfo4(&unix.Inet4Pktinfo{Spec_dst: from.Addr().As4()}),
		&unix.SockaddrInet4{Addr: to.Addr().As4()}, 0)
}

// answer takes one datagram, and tells which session it answers; none: -1.
func (a *askers) answer() (int, error) {
	n, oobn, _, _, err := unix.Recvmsg(a.fd, a.in, a.oob, 0)
	for err == unix.EINTR { // not restarted where SO_RCVTIMEO is set (signal(7))
		n, oobn, _, _, err = unix.Recvmsg(a.fd, a.in, a.oob, 0)
	}
	if err != nil {
		return 0, os.NewSyscallError("recvmsg", err)
	}
	udp := a.in[:n]
	var to netip.Addr
	if !a.w.v6 { // the header comes with it
		to = netip.AddrFrom4([4]byte(udp[16:20]))
		udp = udp[int(udp[0]&0xf)*4:]
	} else {
		messages, err := unix.ParseSocketControlMessage(a.oob[:oobn])
		if err != nil || len(messages) != 1 || len(messages[0].Data) < 16 {
			return 0, fmt.Errorf("control messages %v: %w", messages, err)
		}
		to = netip.AddrFrom16([16]byte(messages[0].Data[:16]))
	}
	if len(udp) != len(a.out) || binary.BigEndian.Uint16(udp) != a.w.port(0) {
		return -1, nil // another test's
	}
	i := int(binary.BigEndian.Uint32(udp[8:]))
	if at := netip.AddrPortFrom(to, binary.BigEndian.Uint16(udp[2:])); i >= sessionsOfOne || at != a.w.end(i) {
		return 0, fmt.Errorf("the answer of session %d came to %v", i, at)
	}
	return i, nil
}

// answerNamed echoes datagrams, and counts those that another than their session's
// client seems to send.
func answerNamed(t *testing.T, ns *lab.Namespace, w way, strangers *atomic.Int64) (stop func()) {
	t.Helper()
	socket := listenUDP(t, ns, w.dest(0))
	_ = socket.SetDeadline(time.Time{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 256)
		for {
			n, from, err := socket.ReadFromUDPAddrPort(b)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				continue
			}
			if n == 4 && w.end(int(binary.BigEndian.Uint32(b))) != plain(from) {
				strangers.Add(1)
			}
			_, _ = socket.WriteToUDPAddrPort(b[:n], from)
		}
	}()
	return func() { socket.Close(); <-done }
}
