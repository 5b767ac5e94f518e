package rules

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// relay is a small sluice whose upstream sockets bear clients' addresses.
type relay struct {
	w        *world
	port     uint16                                     // of its listeners
	bear     func(client netip.AddrPort) netip.AddrPort // what the upstream socket is bound to
	mapped   func(dest netip.AddrPort) netip.AddrPort   // where it is connected to
	redirect bool                                       // it was redirect that brought connections
	heldUDP  bool                                       // upstream UDP sockets take in what is sent back
	dialer   *netns
	mu       sync.Mutex
	closers  []io.Closer
	failed   []error        // of dials
	open     sync.WaitGroup // listeners, which close when nobody waits at them any more
}

// foreignRelay listens in the gateway, for clients and for what returns by UDP. It
// is made what change makes it before.
func (w *world) foreignRelay(change ...func(r *relay)) *relay {
	w.t.Helper()
	same := func(a netip.AddrPort) netip.AddrPort { return a }
	r := &relay{w: w, port: proxyPort, bear: same, mapped: same, dialer: w.gateway.thread()}
	for _, make := range change {
		make(r)
	}
	r.start()
	w.t.Cleanup(r.stop)
	return r
}

func (r *relay) start() {
	r.w.t.Helper()
	config := net.ListenConfig{Control: func(network, address string, c syscall.RawConn) error { return control(c, transparent) }}
	config.SetMultipathTCP(false)
	r.w.gateway.do(func() {
		all := fmt.Sprintf(":%d", r.port)
		l, err := config.Listen(context.Background(), "tcp", all)
		if err != nil {
			r.w.t.Fatal(err)
		}
		r.keep(l)
		r.open.Go(func() { r.accept(l) })
		for _, at := range []string{all, fmt.Sprintf("198.51.100.1:%d", r.port), fmt.Sprintf("[2001:db8::2]:%d", r.port)} {
			p, err := config.ListenPacket(context.Background(), "udp", at)
			if err != nil {
				r.w.t.Fatal(err)
			}
			r.keep(p)
			r.open.Go(func() { r.datagrams(p.(*net.UDPConn), at != all) })
		}
	})
}

// stop closes everything that it has open.
func (r *relay) stop() {
	r.mu.Lock()
	for _, c := range r.closers {
		c.Close()
	}
	r.closers = nil
	r.mu.Unlock()
	r.open.Wait()
}

func (r *relay) keep(c io.Closer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closers = append(r.closers, c)
}

func (r *relay) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		r.keep(conn)
		go r.connect(conn.(*net.TCPConn))
	}
}

func (r *relay) connect(conn *net.TCPConn) {
	defer conn.Close()
	client, dest := unmapped(conn.RemoteAddr().(*net.TCPAddr).AddrPort()), unmapped(conn.LocalAddr().(*net.TCPAddr).AddrPort())
	if r.redirect {
		dest = origDest(conn)
	}
	up, err := r.dialMarked(r.bear(client), r.mapped(dest), DefaultOwnMark)
	if err != nil {
		r.mu.Lock()
		r.failed = append(r.failed, err)
		r.mu.Unlock()
		_ = conn.SetLinger(0)
		return
	}
	r.keep(up)
	defer up.Close()
	var done sync.WaitGroup
	for _, way := range [][2]*net.TCPConn{{conn, up.(*net.TCPConn)}, {up.(*net.TCPConn), conn}} {
		done.Add(1)
		go func() {
			defer done.Done()
			if _, err := io.Copy(way[1], way[0]); err != nil {
				_ = conn.SetLinger(0)
				_ = up.(*net.TCPConn).SetLinger(0)
				conn.Close()
				up.Close()
			}
			_ = way[1].CloseWrite()
		}()
	}
	done.Wait()
}

// dialMarked connects a transparent socket that is bound to from.
func (r *relay) dialMarked(from, to netip.AddrPort, mark int) (conn net.Conn, err error) {
	dialer := net.Dialer{Timeout: patience, LocalAddr: net.TCPAddrFromAddrPort(from), Control: foreignControl(mark)}
	dialer.SetMultipathTCP(false)
	asked := r.dialer.ask(func() { conn, err = dialer.Dial("tcp", to.String()) })
	return conn, cmp.Or(asked, err)
}

func foreignControl(mark int) func(network, address string, c syscall.RawConn) error {
	return func(network, address string, c syscall.RawConn) error {
		errs := control(c, transparent)
		return errors.Join(errs, c.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, mark)
		}))
	}
}

// send sends a datagram by a socket that no datagram is for: it is bound to an
// address that nobody has.
func (r *relay) send(data []byte, from, to netip.AddrPort, mark int) (err error) {
	at, oob := netip.MustParseAddr("2001:db8::7"), unix.PktInfo6(&unix.Inet6Pktinfo{Addr: from.Addr().As16()})
	if from.Addr().Is4() {
		at, oob = netip.MustParseAddr("198.51.100.7"), unix.PktInfo4(&unix.Inet4Pktinfo{Spec_dst: from.Addr().As4()})
	}
	config := net.ListenConfig{Control: foreignControl(mark)}
	asked := r.dialer.ask(func() {
		var p net.PacketConn
		if p, err = config.ListenPacket(context.Background(), "udp", netip.AddrPortFrom(at, from.Port()).String()); err == nil {
			_, _, err = p.(*net.UDPConn).WriteMsgUDPAddrPort(data, oob, to)
			p.Close()
		}
	})
	return cmp.Or(asked, err)
}

// hold sends a datagram by a socket that is bound to its source, and relays what
// is sent back to that.
func (r *relay) hold(data []byte, from, to netip.AddrPort, mark int) error {
	client, dest := from, to
	config := net.ListenConfig{Control: foreignControl(mark)}
	var p net.PacketConn
	var err error
	if asked := r.dialer.ask(func() { p, err = config.ListenPacket(context.Background(), "udp", r.bear(client).String()) }); asked != nil || err != nil {
		return cmp.Or(asked, err)
	}
	r.keep(p)
	go func() {
		buffer := make([]byte, 2000)
		for n, _, err := p.ReadFrom(buffer); err == nil; n, _, err = p.ReadFrom(buffer) {
			_ = r.send(buffer[:n], dest, client, 0)
		}
	}()
	_, err = p.(*net.UDPConn).WriteToUDPAddrPort(data, to)
	return err
}

// datagrams relays what clients send, or what is sent back.
func (r *relay) datagrams(p *net.UDPConn, returned bool) {
	buffer, oob := make([]byte, 65536), make([]byte, 200)
	for {
		n, noob, _, from, err := p.ReadMsgUDPAddrPort(buffer, oob)
		if err != nil {
			return
		}
		from, to := unmapped(from), originalDest(oob[:noob])
		source, mark := r.bear(from), DefaultOwnMark
		if r.heldUDP {
			source = from
		}
		if returned {
			source, mark = from, 0
			for _, addr := range serverAddrs { // what was mapped bears the original again
				if dest := netip.AddrPortFrom(netip.MustParseAddr(addr), mappedPort); r.mapped(dest) == from {
					source = dest
				}
			}
		} else {
			to = r.mapped(to)
		}
		send := r.send
		if r.heldUDP && !returned {
			send = r.hold
		}
		if err := send(buffer[:n], source, to, mark); err != nil {
			r.mu.Lock()
			r.failed = append(r.failed, err)
			r.mu.Unlock()
		}
	}
}

func (r *relay) noFailures() {
	r.w.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.failed) > 0 {
		r.w.t.Errorf("%d dials failed, the first: %v", len(r.failed), r.failed[0])
	}
}

func unmapped(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// mirror answers every line and datagram with the address and port that it came from.
func (w *world) mirror(n *netns, at string) {
	w.t.Helper()
	var l net.Listener
	var p net.PacketConn
	n.do(func() {
		var err error
		if l, err = net.Listen("tcp", at); err == nil {
			p, err = net.ListenPacket("udp", at)
		}
		if err != nil {
			w.t.Fatal(err)
		}
	})
	w.t.Cleanup(func() { l.Close(); p.Close() })
	go func() {
		for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
			go func() {
				defer conn.Close()
				buffer := make([]byte, 100)
				for _, err := conn.Read(buffer); err == nil; _, err = conn.Read(buffer) {
					fmt.Fprintln(conn, conn.RemoteAddr())
				}
			}()
		}
	}()
	go func() {
		buffer := make([]byte, 65536)
		for _, from, err := p.ReadFrom(buffer); err == nil; _, from, err = p.ReadFrom(buffer) {
			_, _ = p.WriteTo([]byte(from.String()), from)
		}
	}()
}

// seen is what the mirror says of the client, and the client's own address.
func (w *world) seen(from *netns, network, addr string, limit time.Duration) (seen, own string) {
	w.t.Helper()
	from.do(func() {
		conn, err := (&net.Dialer{Timeout: limit}).Dial(network, addr)
		if err != nil {
			seen = "silence"
			if errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, unix.ECONNRESET) {
				seen = "refused"
			}
			return
		}
		defer conn.Close()
		own = conn.LocalAddr().String()
		if seen, err = exchange(conn, limit); err != nil {
			seen = "silence"
		}
	})
	return seen, own
}

// expectSeen asks the mirrors by both protocols. want is what the server sees:
// the client's address and port, if empty, or any at all.
func (w *world) expectSeen(from *netns, networks []string, addrs []string, want string) {
	w.t.Helper()
	for _, network := range networks {
		for _, addr := range addrs {
			limit := patience
			if want == "silence" {
				limit = silence
			}
			seen, own := w.seen(from, network, addr, limit)
			if want == "any" && strings.Contains(seen, ":") {
				continue
			}
			if want != "" {
				if host, _, err := net.SplitHostPort(seen); err == nil && host == want {
					continue
				}
				own = want
			}
			if seen != own {
				w.t.Errorf("%s to %s: seen %q, want %q", network, addr, seen, own)
			}
		}
	}
}

var mirrors = []string{"10.9.2.2:7000", "[fd09:2::2]:7000"}

// mappedPort is where some tests' relays turn to another port.
const mappedPort = 7002

var bothProtocols = []string{"tcp", "udp"}

// newForeign is a world with mirrors at the server.
func newForeign(t *testing.T) *world {
	w := newWorld(t)
	for _, at := range mirrors {
		w.mirror(w.server, at)
	}
	return w
}

// invalid counts packets that the tracker calls invalid, but of what the world was
// made with, before there was a tracker.
const invalid = `nft -f - <<'END'
table inet judge {
	counter invalid { }
	counter passed { }
	set segments { type ifname . ifname . inet_service . inet_service . tcp_flag; flags dynamic; size 99; }
	set others { type ifname . ifname . inet_proto; flags dynamic; size 99; }
	chain note {
		counter name invalid
		update @segments { iifname . oifname . tcp sport . tcp dport . tcp flags } return
		update @others { iifname . oifname . meta l4proto }
	}
	chain in { type filter hook prerouting priority -190; th sport 80 return; th dport 80 return; ct state invalid goto note; }
	chain passing { type filter hook forward priority -190; iifname "lan" th dport 7000-7999 counter name passed; }
	chain out { type filter hook output priority -190; th sport 80 return; th dport 80 return; ct state invalid goto note; }
}
END`

// masquerade has what leaves by wan bear the gateway's address.
const masquerade = `nft -f - <<'END'
table inet masq {
	chain post { type nat hook postrouting priority 100; oifname "wan" masquerade; }
}
END`

// strict is a firewall that lets new flows in from the LAN where sluice takes
// them, and what belongs to flows that are there.
const strict = `nft -f - <<'END'
table inet strict {
	chain in {
		type filter hook input priority 0; policy drop;
		ct state invalid drop
		ct state established,related accept
		iifname "lo" accept
		icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
		iifname "lan" meta mark & 1 == 1 ct state new accept
	}
	chain passing {
		type filter hook forward priority 0; policy drop;
		ct state invalid drop
		ct state established,related accept
	}
	chain out {
		type filter hook output priority 0;
		ct state invalid drop
	}
}
END`

// noneInvalid asserts that nothing was invalid.
func (w *world) noneInvalid() {
	w.t.Helper()
	if n := w.gateway.shown(`nft list counter inet judge invalid | grep -o 'packets [0-9]*'`); n != "packets 0\n" {
		w.t.Errorf("invalid: %s%s", n, w.gateway.shown("nft list table inet judge | grep elements"))
	}
}

// passed is how many packets of clients to mirrors the kernel forwarded.
func (w *world) passed() string {
	w.t.Helper()
	return strings.TrimSpace(w.gateway.shown(`nft list counter inet judge passed | grep -o 'packets [0-9]*'`))
}

// shown is what a script prints, also after the test has failed.
func (n *netns) shown(script string) (out string) {
	done := make(chan struct{})
	n.calls <- func() {
		defer close(done)
		bytes, _ := exec.Command("sh", "-ec", script).CombinedOutput()
		out = string(bytes)
	}
	<-done
	return out
}
