package rules

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// farServer is a server behind a router (the world's server) through which a
// smaller MTU leads to it, as the gateway does not know.
func (w *world) farServer() *netns {
	far := newNetns(w.t)
	join(w.server, far, "below", "eth0")
	w.server.sh(`sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
		ip addr add 10.9.4.1/24 dev below; ip addr add fd09:4::1/64 dev below nodad; ip link set below up
		ip route add 10.9.4.2/32 dev below mtu lock 1300; ip route add fd09:4::2/128 dev below mtu lock 1300`)
	far.sh(`ip addr add 10.9.4.2/24 dev eth0; ip addr add fd09:4::2/64 dev eth0 nodad; ip link set eth0 up
		ip route add default via 10.9.4.1; ip route add default via fd09:4::1`)
	w.gateway.sh("ip route add 10.9.4.0/24 via 10.9.2.2; ip route add fd09:4::/64 via fd09:2::2")
	return far
}

// TestClientsErrors: ICMP errors about what sluice sends reach its sockets, from
// the client's side and the server's; those about a client's datagrams reach the
// client. A firewall that drops what is invalid lets them pass.
func TestClientsErrors(t *testing.T) {
	for name, script := range map[string]string{"plain": "", "strict": strict, "masquerade": masquerade + "\n" + strict} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newForeign(t)
			r := w.foreignRelay()
			client, server := w.farClient(), w.farServer()
			for _, at := range []string{"10.9.4.2:7000", "[fd09:4::2]:7000"} {
				w.mirror(server, at)
				w.exchanges(server, strings.Replace(at, ":7000", ":7001", 1))
			}
			w.gateway.sh(invalid + "\n" + script)
			w.install(clientsSpec())
			for _, at := range []string{"10.9.4.2:7001", "[fd09:4::2]:7001"} {
				w.expectExchange(client, at)
			}
			for i, at := range []string{"10.9.4.2:9", "[fd09:4::2]:9"} {
				client.do(func() {
					conn, err := net.Dial("udp", at)
					if err != nil {
						t.Fatal(err)
					}
					defer conn.Close()
					if _, err := exchange(conn, patience); !errors.Is(err, unix.ECONNREFUSED) {
						t.Errorf("a datagram to nobody at %s (%d): %v, want refused", at, i, err)
					}
				})
			}
			w.expectLargeReply(client, "[fd09:2::2]:7003")
			r.noFailures()
			w.noneInvalid()
		})
	}
}

// exchanges takes in loadBytes and sends as many, at once.
func (w *world) exchanges(n *netns, at string) {
	n.do(func() {
		l, err := net.Listen("tcp", at)
		if err != nil {
			w.t.Fatal(err)
		}
		w.t.Cleanup(func() { l.Close() })
		go func() {
			for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
				go func() {
					defer conn.Close()
					go func() { _, _ = io.Copy(io.Discard, conn) }()
					_, _ = io.CopyN(conn, zeros{}, loadBytes)
					_ = conn.(*net.TCPConn).CloseWrite()
					_, _ = io.Copy(io.Discard, conn)
				}()
			}
		}()
	})
}

func (w *world) expectExchange(from *netns, at string) {
	w.t.Helper()
	from.do(func() {
		conn, err := net.DialTimeout("tcp", at, patience)
		if err != nil {
			w.t.Errorf("%s: %v", at, err)
			return
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(patience))
		go func() { _, _ = io.CopyN(conn, zeros{}, loadBytes); _ = conn.(*net.TCPConn).CloseWrite() }()
		if n, err := io.Copy(io.Discard, conn); n != loadBytes {
			w.t.Errorf("%s: %d bytes, %v", at, n, err)
		}
	})
}

// expectLargeReply has a UDP reply come that is too large for the way to the
// client, once a router has said so.
func (w *world) expectLargeReply(from *netns, at string) {
	w.t.Helper()
	var p net.PacketConn
	w.server.do(func() {
		var err error
		if p, err = net.ListenPacket("udp", at); err != nil {
			w.t.Fatal(err)
		}
	})
	defer p.Close()
	go func() {
		buffer := make([]byte, 100)
		for _, to, err := p.ReadFrom(buffer); err == nil; _, to, err = p.ReadFrom(buffer) {
			_, _ = p.WriteTo(make([]byte, 1440), to)
		}
	}()
	from.do(func() {
		conn, err := net.Dial("udp", at)
		if err != nil {
			w.t.Fatal(err)
		}
		defer conn.Close()
		var n int
		for range 20 {
			_ = conn.SetDeadline(time.Now().Add(silence))
			_, _ = conn.Write([]byte("more"))
			if n, err = conn.Read(make([]byte, 2000)); err == nil {
				break
			}
		}
		if n != 1440 {
			w.t.Errorf("a reply that is too large: %d bytes, %v", n, err)
		}
	})
}

var sources = []netip.Addr{netip.MustParseAddr("203.0.113.5"), netip.MustParseAddr("2001:db8:5::5")}

// TestAddressesSeen has the server see addresses that are routed to the gateway.
func TestAddressesSeen(t *testing.T) {
	for name, setting := range map[string]struct {
		script string
		spec   func(*Spec)
	}{
		"plain":        {"", func(*Spec) {}},
		"strict":       {strict, func(*Spec) {}},
		"reverse path": {"sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.all.src_valid_mark=1", func(*Spec) {}},
		"open":         {"", func(s *Spec) { s.Fail = Open }},
		"anywhere":     {"", func(s *Spec) { s.Ifaces = nil }},
		"output":       {"", func(s *Spec) { s.Output = true }},
		"with clients": {strict, func(s *Spec) { s.Sources.Clients = true }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newForeign(t)
			w.server.sh("ip route add 203.0.113.5 via 10.9.2.1; ip route add 2001:db8:5::5 via fd09:2::1")
			r := w.foreignRelay(func(r *relay) {
				r.bear = func(client netip.AddrPort) netip.AddrPort {
					return netip.AddrPortFrom(sources[(client.Addr().BitLen()-32)/96], 0)
				}
				r.heldUDP = true
			})
			w.gateway.sh(invalid + "\n" + setting.script)
			spec := Spec{TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"lan"}, Sources: Sources{Addrs: sources}}
			setting.spec(&spec)
			w.install(spec)
			for range 3 {
				for family, addr := range mirrors {
					w.expectSeen(w.client, bothProtocols, []string{addr}, sources[family].String())
				}
			}
			r.noFailures()
			w.noneInvalid()
		})
	}
}

// TestAddressesByIPTables loads the printed script instead.
func TestAddressesByIPTables(t *testing.T) {
	w := newForeign(t)
	w.server.sh("ip route add 203.0.113.5 via 10.9.2.1; ip route add 2001:db8:5::5 via fd09:2::1")
	r := w.foreignRelay(func(r *relay) {
		r.bear = func(client netip.AddrPort) netip.AddrPort {
			return netip.AddrPortFrom(sources[(client.Addr().BitLen()-32)/96], 0)
		}
		r.heldUDP = true
	})
	w.gateway.sh(mustText(t, Spec{TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"lan"}, Sources: Sources{Addrs: sources}}, FormatIPTables))
	for family, addr := range mirrors {
		w.expectSeen(w.client, bothProtocols, []string{addr}, sources[family].String())
	}
	r.noFailures()
}

// TestRedirectSeen has the server see the client's address, by another port.
func TestRedirectSeen(t *testing.T) {
	for name, script := range map[string]string{"plain": "", "masquerade": masquerade, "strict": strings.Replace(strict, "meta mark & 1 == 1", "ct status dnat", 1)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newForeign(t)
			r := w.foreignRelay(func(r *relay) {
				r.redirect = true
				r.bear = func(client netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(client.Addr(), 0) }
			})
			w.gateway.sh(invalid + "\n" + script)
			w.install(Spec{Via: Redirect, TCPPort: proxyPort, Ifaces: []string{"lan"}, Sources: Sources{Clients: true}})
			want := []string{"10.9.1.2", "fd09:1::2"}
			if name == "masquerade" {
				want = []string{"10.9.2.1", "fd09:2::1"}
			}
			for range 3 {
				for family, addr := range mirrors {
					w.expectSeen(w.client, []string{"tcp"}, []string{addr}, want[family])
				}
			}
			r.noFailures()
			w.noneInvalid()
			if n := w.passed(); n != "packets 0" {
				t.Errorf("the kernel forwarded %s past the relay", n)
			}
		})
	}
}

// TestReturnsEscape: what returns to clients' addresses is dropped where the
// policy rule is gone, and comes again when it is put back; a rule of others that
// takes it is overtaken.
func TestReturnsEscape(t *testing.T) {
	w := newForeign(t)
	r := w.foreignRelay()
	w.gateway.sh(invalid)
	x := w.watch(clientsSpec())
	w.expectSeen(w.client, bothProtocols, mirrors, "")
	for name, script := range map[string]string{
		"rules flushed": both("ip V rule flush; ip V rule add lookup main pref 32766"),
		"by interface":  both("ip V rule add iif wan lookup main pref 30"),
		"table flushed": "nft delete table inet sluice 2>/dev/null || nft flush ruleset",
		"by loopback":   "ip rule del from 127.0.0.0/8; ip -6 rule del from ::1",
		"wg-quick":      both(wgQuick),
	} {
		w.gateway.sh(script)
		for _, addr := range mirrors {
			for _, network := range bothProtocols {
				wait(t, network+" after "+name, func() bool {
					seen, own := w.seen(w.client, network, addr, silence)
					return seen == own
				})
			}
		}
		if s := w.gateway.status(); !s.Complete() {
			wait(t, "all to be there after "+name, func() bool { s := w.gateway.status(); return s.Complete() })
		}
		w.gateway.sh("nft list table inet judge >/dev/null 2>&1 || " + strings.TrimSpace(invalid))
	}
	if !strings.Contains(x.by(), "iif wan lookup main") {
		t.Errorf("named: %s", x.by())
	}
	r.noFailures()
	w.gateway.sh(both("ip V rule del pref 30 2>/dev/null || true"))
	x.stop()
	left := w.gateway.sh("ip rule; ip -6 rule; ip route show table all; ip -6 route show table all")
	if strings.Contains(left, "proto 115") {
		t.Errorf("left:\n%s", left)
	}
	i := w.install(clientsSpec())
	defer w.remove(i)
	conns := w.dialed("tcp", mirrors)
	w.gateway.sh("sysctl -qw net.ipv4.ip_early_demux=0\n" + unroute)
	before := w.passed()
	for _, conn := range conns {
		if got, err := exchange(conn, silence); err == nil {
			t.Errorf("without routing: %q", got)
		}
	}
	if after := w.passed(); after != before {
		t.Errorf("forwarded: %s, before %s", after, before)
	}
}

// TestReturnsSucceed: what packets put into sets is no change of the rules: they
// are handed on as they stand, and a watch has nothing to repair.
func TestReturnsSucceed(t *testing.T) {
	w := newForeign(t)
	r := w.foreignRelay()
	w.mirror(w.client, "10.9.1.2:9000")
	spec := clientsSpec()
	now := w.install(spec)
	handles := func() string {
		return w.gateway.sh("nft -a list table inet sluice | sed '/chain facts/,/}/d' | grep -v -e packets -e '# progname' -e flags -e elements -e expires")
	}
	before := handles()
	for range 3 {
		w.expectSeen(w.server, bothProtocols, []string{"10.9.1.2:9000"}, "")
		w.expectSeen(w.client, bothProtocols, mirrors, "")
		w.gateway.do(func() {
			if repair, fault, err := now.mend(true); len(repair.Missing) > 0 || fault != nil || err != nil {
				t.Errorf("mended: %+v, %v, %v", repair, fault, err)
			}
			if err := now.Leave(); err != nil {
				t.Error(err)
			}
			var err error
			if now, err = Install(spec); err != nil {
				t.Fatal(err)
			}
		})
	}
	if !strings.Contains(w.gateway.sh("nft list set inet sluice answers4"), "9000") {
		t.Error("no answers were noted")
	}
	if diff := differ(before, handles()); diff != "" {
		t.Errorf("an equal successor changed:\n%s", diff)
	}
	spec.Sources = Sources{}
	w.gateway.do(func() {
		if err := now.Replace(spec); err != nil {
			t.Error(err)
		}
	})
	if s := w.gateway.status(); !s.Complete() || strings.Contains(w.gateway.sh("ip rule"), "127.0.0.0") {
		t.Errorf("without sources:\n%s", s)
	}
	r.noFailures()
	w.remove(now)
}

// TestOtherTransparent: another transparent program of the gateway, with
// addresses of clients by a rule of its own, goes on as it did.
func TestOtherTransparent(t *testing.T) {
	for name, clients := range map[string]bool{"with sluice's": true, "alone": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newForeign(t)
			w.gateway.sh(invalid + "\n" + masquerade + "\n" + both("ip V rule add fwmark 0x100 lookup 77; ip V route add local default dev lo table 77") + "\n" + `nft add table inet theirs
				nft add chain inet theirs pre '{ type filter hook prerouting priority -150; }'
				nft add rule inet theirs pre meta l4proto tcp socket transparent 1 meta mark set 0x100`)
			other := w.foreignRelay() // listens, but nothing is diverted to it
			if clients {
				spec := clientsSpec()
				spec.Dports = []PortRange{{9999, 9999}}
				w.install(spec)
			}
			for i, client := range []string{"10.9.1.2:4000", "[fd09:1::2]:4000"} {
				conn, err := other.dialMarked(netip.MustParseAddrPort(client), netip.MustParseAddrPort(mirrors[i]), 0)
				if err != nil {
					t.Errorf("%s: %v", client, err)
					continue
				}
				defer conn.Close()
				if got, err := exchange(conn, patience); err != nil || !strings.Contains(got, []string{"10.9.2.1:", "fd09:2::1"}[i]) {
					t.Errorf("%s: %q, %v", client, got, err)
				}
			}
			w.noneInvalid()
		})
	}
}

// TestLoopbackTranslated: what the gateway's programs send to loopback addresses
// and others translate, as for ports of containers, goes where it went.
func TestLoopbackTranslated(t *testing.T) {
	t.Parallel()
	w := newForeign(t)
	w.gateway.sh(masquerade + `
		sysctl -qw net.ipv4.conf.all.route_localnet=1
		nft add table ip theirs
		nft add chain ip theirs out '{ type nat hook output priority -100; }'
		nft add rule ip theirs out ip daddr 127.0.0.1 meta l4proto { tcp, udp } th dport 8088 dnat to 10.9.2.2:7000`)
	w.expectSeen(w.gateway, bothProtocols, []string{"127.0.0.1:8088"}, "10.9.2.1")
	w.install(clientsSpec())
	w.expectSeen(w.gateway, bothProtocols, []string{"127.0.0.1:8088"}, "10.9.2.1")
}

// TestSluiceBearsClients has the real program install the rules, and bear
// clients' addresses or one of its own.
func TestSluiceBearsClients(t *testing.T) {
	program := buildSluice(t)
	masked, client, address := []string{"10.9.2.1", "fd09:2::1"}, []string{"", ""}, []string{sources[0].String(), sources[1].String()}
	for name, c := range map[string]struct {
		script string
		flags  string
		want   []string
		only   string // network
	}{
		"client":         {strict, "--source client", client, ""},
		"masquerade":     {masquerade + "\n" + strict, "--source client", masked, ""},
		"kernel":         {masquerade + "\n" + strict, "--source client --source-replies kernel", masked, ""},
		"open":           {masquerade, "--source client --fail open", masked, ""},
		"client address": {strict, "--source client-address", []string{"10.9.1.2", "fd09:1::2"}, ""},
		"address":        {strict, "--source " + sources[0].String() + "," + sources[1].String(), address, ""},
		"output":         {strict, "--source client --output", client, ""},
		"SYN cookies":    {masquerade + "\nsysctl -qw net.ipv4.tcp_syncookies=2", "--source client", masked, ""},
		"redirect": {strings.Replace(strict, "meta mark & 1 == 1", "ct status dnat", 1), "--redirect :12346 --via redirect --source client-address",
			[]string{"10.9.1.2", "fd09:1::2"}, "tcp"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newForeign(t)
			w.server.sh("ip route add 203.0.113.5 via 10.9.2.1; ip route add 2001:db8:5::5 via fd09:2::1")
			w.gateway.sh(invalid + "\n" + c.script)
			running := w.sluice(program, append(strings.Fields(c.flags), "--install-rules", "--iface", "lan")...)
			networks := bothProtocols
			if c.only != "" {
				networks = []string{c.only}
			}
			for range 5 {
				for family, addr := range mirrors {
					w.expectSeen(w.client, networks, []string{addr}, c.want[family])
				}
			}
			for _, addr := range serverAddrs {
				w.bulk(net.JoinHostPort(addr, "7001"), "FIN")
			}
			w.noneInvalid()
			if n := w.passed(); n != "packets 0" {
				t.Errorf("the kernel forwarded %s past sluice", n)
			}
			_ = running.Process.Signal(syscall.SIGTERM)
			_ = running.Wait()
			wait(t, "the rules to go", func() bool { return !strings.Contains(w.gateway.sh("nft list tables; ip rule"), "sluice") })
		})
	}
}

// origDest asks where a redirected connection was going (SO_ORIGINAL_DST).
func origDest(conn *net.TCPConn) (dest netip.AddrPort) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return dest
	}
	_ = raw.Control(func(fd uintptr) {
		if conn.RemoteAddr().(*net.TCPAddr).IP.To4() != nil {
			mreq, err := unix.GetsockoptIPv6Mreq(int(fd), unix.SOL_IP, 80)
			if err == nil { // struct sockaddr_in
				dest = netip.AddrPortFrom(netip.AddrFrom4([4]byte(mreq.Multiaddr[4:8])), uint16(mreq.Multiaddr[2])<<8|uint16(mreq.Multiaddr[3]))
			}
			return
		}
		info, err := unix.GetsockoptIPv6MTUInfo(int(fd), unix.SOL_IPV6, 80)
		if err == nil {
			port := info.Addr.Port
			dest = netip.AddrPortFrom(netip.AddrFrom16(info.Addr.Addr), port<<8|port>>8)
		}
	})
	return dest
}
