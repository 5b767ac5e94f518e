package rules

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func clientsSpec() Spec {
	return Spec{TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"lan"}, Sources: Sources{Clients: true, Ports: true}}
}

// TestClientsSeen has the server see the client's address and port, masquerade
// give it the gateway's, and both pass a strict firewall with no invalid packet.
func TestClientsSeen(t *testing.T) {
	for name, setting := range map[string]struct {
		script string
		spec   func(*Spec)
		want   []string
	}{
		"plain":            {"", func(*Spec) {}, []string{"", ""}},
		"strict":           {strict, func(*Spec) {}, []string{"", ""}},
		"masquerade":       {masquerade, func(*Spec) {}, []string{"10.9.2.1", "fd09:2::1"}},
		"both":             {masquerade + "\n" + strict, func(*Spec) {}, []string{"10.9.2.1", "fd09:2::1"}},
		"open":             {masquerade + "\n" + strict, func(s *Spec) { s.Fail = Open }, []string{"10.9.2.1", "fd09:2::1"}},
		"SYN cookies":      {strict + "\nsysctl -qw net.ipv4.tcp_syncookies=2", func(*Spec) {}, []string{"", ""}},
		"cookies masked":   {masquerade + "\n" + strict + "\nsysctl -qw net.ipv4.tcp_syncookies=2", func(*Spec) {}, []string{"10.9.2.1", "fd09:2::1"}},
		"cookies anywhere": {masquerade + "\nsysctl -qw net.ipv4.tcp_syncookies=2", func(s *Spec) { s.Ifaces, s.UDPPort = nil, 0 }, []string{"10.9.2.1", "fd09:2::1"}},
		"reverse path":     {strict + "\nsysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.lan.rp_filter=1 net.ipv4.conf.wan.rp_filter=1", func(*Spec) {}, []string{"", ""}},
		"source with mark": {"sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.all.src_valid_mark=1", func(*Spec) {}, []string{"", ""}},
		"output":           {strict, func(s *Spec) { s.Output = true }, []string{"", ""}},
		"divert":           {masquerade, func(s *Spec) { s.Established = Divert }, []string{"10.9.2.1", "fd09:2::1"}},
		"kernel":           {strict, func(s *Spec) { s.Sources.KernelReplies = true }, []string{"", ""}},
		"kernel masked":    {masquerade + "\n" + strict, func(s *Spec) { s.Sources.KernelReplies = true }, []string{"10.9.2.1", "fd09:2::1"}},
		"between":          {masquerade, func(s *Spec) { s.Ifaces, s.BetweenIfaces = []string{"lan", "wan"}, true }, []string{"10.9.2.1", "fd09:2::1"}},
		"between plain":    {"", func(s *Spec) { s.Ifaces, s.BetweenIfaces = []string{"lan", "wan"}, true }, []string{"", ""}},
		"copied marks":     {strict + "\nsysctl -qw net.ipv4.tcp_fwmark_accept=1 net.ipv4.fwmark_reflect=1 net.ipv6.fwmark_reflect=1", func(*Spec) {}, []string{"", ""}},
		"TCP anywhere":     {masquerade + "\n" + strict, func(s *Spec) { s.Ifaces, s.UDPPort = nil, 0 }, []string{"10.9.2.1", "fd09:2::1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newForeign(t)
			r := w.foreignRelay()
			w.gateway.sh(invalid + "\n" + setting.script)
			spec := clientsSpec()
			setting.spec(&spec)
			networks := bothProtocols
			if spec.UDPPort == 0 {
				networks = networks[:1]
			}
			w.install(spec)
			for range 3 {
				for family, addr := range mirrors {
					w.expectSeen(w.client, networks, []string{addr}, setting.want[family])
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

// TestClientsAmongMarks: others set, save and restore marks as they like.
func TestClientsAmongMarks(t *testing.T) {
	for name, script := range hostile {
		if strings.HasPrefix(name, "not tracked") {
			continue // nothing tells the legs apart
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newForeign(t)
			r := w.foreignRelay()
			w.gateway.sh(invalid + "\n" + masquerade + "\n" + script)
			w.install(clientsSpec())
			for range 3 {
				for family, addr := range mirrors {
					w.expectSeen(w.client, bothProtocols, []string{addr}, []string{"10.9.2.1", "fd09:2::1"}[family])
				}
			}
			r.noFailures()
			if n := w.passed(); n != "packets 0" {
				t.Errorf("the kernel forwarded %s past the relay", n)
			}
		})
	}
}

// TestClientsBulk has 20 MB go each way at once, and ends seen by the server as the
// client made them.
func TestClientsBulk(t *testing.T) {
	for name, script := range map[string]string{"strict": strict, "masquerade": masquerade + "\n" + strict} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newForeign(t)
			r := w.foreignRelay()
			w.gateway.sh(invalid + "\n" + script)
			w.install(clientsSpec())
			for _, addr := range serverAddrs {
				at := net.JoinHostPort(addr, "7001")
				for _, end := range []string{"FIN", "RST"} {
					w.bulk(at, end)
				}
			}
			r.noFailures()
			w.noneInvalid()
		})
	}
}

const bulkBytes = 20 << 20

// bulk sends and takes in as much, then ends the connection.
func (w *world) bulk(at, end string) {
	w.t.Helper()
	var l net.Listener
	w.server.do(func() {
		var err error
		if l, err = net.Listen("tcp", at); err != nil {
			w.t.Fatal(err)
		}
	})
	defer l.Close()
	ended := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			ended <- err
			return
		}
		defer conn.Close()
		go func() { _, _ = io.CopyN(conn, zeros{}, bulkBytes) }()
		if _, err = io.CopyN(io.Discard, conn, bulkBytes); err == nil {
			_, err = conn.Read(make([]byte, 1))
		}
		ended <- err
	}()
	var conn net.Conn
	w.client.do(func() {
		var err error
		if conn, err = net.DialTimeout("tcp", at, patience); err != nil {
			w.t.Fatal(err)
		}
	})
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(60 * time.Second))
	sent := make(chan error, 1)
	go func() { _, err := io.CopyN(conn, zeros{}, bulkBytes); sent <- err }()
	if n, err := io.CopyN(io.Discard, conn, bulkBytes); err != nil {
		w.t.Fatalf("%s: %d bytes came, then %v", at, n, err)
	}
	if err := <-sent; err != nil {
		w.t.Fatalf("%s: %v", at, err)
	}
	if end == "RST" {
		_ = conn.(*net.TCPConn).SetLinger(0)
	}
	conn.Close()
	select {
	case err := <-ended:
		if end == "FIN" && err != io.EOF || end == "RST" && !errors.Is(err, unix.ECONNRESET) {
			w.t.Errorf("%s: the server saw %v, want %s", at, err, end)
		}
	case <-time.After(patience):
		w.t.Errorf("%s: the server saw no %s", at, end)
	}
}

// zeros is a source without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// TestClientsOnTheGateway has the server be the gateway: by loopback, and by an
// address that others reach too.
func TestClientsOnTheGateway(t *testing.T) {
	for name, to := range map[string][2]string{
		"loopback": {"127.0.0.1:8080", "[::1]:8080"},
		"lan":      {"10.9.1.1:8080", "[fd09:1::1]:8080"},
		"wan":      {"10.9.2.1:8080", "[fd09:2::1]:8080"},
	} {
		for script, text := range map[string]string{"": "", " strict": strict, " reverse path": "sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.all.src_valid_mark=1", " output": ""} {
			t.Run(name+script, func(t *testing.T) {
				t.Parallel()
				w := newForeign(t)
				r := w.foreignRelay(func(r *relay) {
					r.mapped = func(dest netip.AddrPort) netip.AddrPort {
						if dest.Port() != mappedPort {
							return dest
						}
						return netip.MustParseAddrPort(to[(dest.Addr().BitLen()-32)/96])
					}
				})
				for _, at := range to {
					w.mirror(w.gateway, at)
				}
				w.gateway.sh(invalid + "\n" + text)
				spec := clientsSpec()
				spec.Output = script == " output"
				i := w.install(spec)
				for range 3 {
					w.expectSeen(w.client, bothProtocols, []string{"10.9.2.2:7002", "[fd09:2::2]:7002"}, "")
				}
				w.expectSeen(w.client, bothProtocols, mirrors, "")
				if name != "loopback" && script != " strict" {
					w.expectSeen(w.client, bothProtocols, to[:], "")
				}
				r.noFailures()
				w.noneInvalid()
				w.remove(i)
			})
		}
	}
}

// TestClientsFail: while sluice does not listen, nothing passes, or all does, as
// masqueraded as ever; and neither is so for longer.
func TestClientsFail(t *testing.T) {
	for _, fail := range []Fail{Closed, Open} {
		for name, script := range map[string]string{"plain": "", "strict": masquerade + "\n" + strict + `
			nft insert rule inet strict passing iifname "lan" ct state new accept`} {
			t.Run(string(fail)+" "+name, func(t *testing.T) {
				t.Parallel()
				w := newForeign(t)
				r := w.foreignRelay()
				w.gateway.sh(invalid + "\n" + script)
				spec := clientsSpec()
				spec.Fail = fail
				w.install(spec)
				want := []string{"", ""}
				if name == "strict" {
					want = []string{"10.9.2.1", "fd09:2::1"}
				}
				expect := func(want []string) {
					t.Helper()
					for family, addr := range mirrors {
						w.expectSeen(w.client, bothProtocols, []string{addr}, want[family])
					}
				}
				running := w.dialed("tcp", mirrors)
				for range 2 {
					past := ""
					for tries := 0; tries < 3 && past != "packets 0"; tries++ { // what was forwarded meanwhile ends first
						w.gateway.sh("nft reset counters table inet judge")
						expect(want)
						past = w.passed()
					}
					if past != "packets 0" {
						t.Errorf("the kernel forwarded %s past a living relay", past)
					}
					r.stop()
					for _, conn := range running { // of a dead relay
						if got, err := exchange(conn, silence); err == nil && got != "" {
							t.Errorf("a dead relay's connection: %q", got)
						}
					}
					if fail == Closed {
						expect([]string{"silence", "silence"})
						if n := w.passed(); n != "packets 0" {
							t.Errorf("the kernel forwarded %s past a dead relay", n)
						}
					} else {
						expect(want)
					}
					r.start()
				}
			})
		}
	}
}

// dialed are connections of the client, or connected UDP sockets.
func (w *world) dialed(network string, addrs []string) (conns []net.Conn) {
	w.t.Helper()
	for _, addr := range addrs {
		w.client.do(func() {
			conn, err := net.DialTimeout(network, addr, patience)
			if err != nil {
				w.t.Fatal(err)
			}
			w.t.Cleanup(func() { conn.Close() })
			conns = append(conns, conn)
			if _, err := exchange(conn, patience); err != nil {
				w.t.Error(err)
			}
		})
	}
	return conns
}

// TestServersBehind: what is behind the gateway still answers others, by both
// protocols, translated or not; and sends them more than they ask for.
func TestServersBehind(t *testing.T) {
	for name, script := range map[string]string{"plain": "", "translated": masquerade + `
		nft add table inet forwards
		nft add chain inet forwards pre '{ type nat hook prerouting priority -100; }'
		nft add rule inet forwards pre iifname wan meta nfproto ipv4 th dport 9000 dnat ip to 10.9.1.2
		nft add rule inet forwards pre iifname wan meta nfproto ipv6 th dport 9000 dnat ip6 to fd09:1::2`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newForeign(t)
			r := w.foreignRelay()
			for _, at := range []string{"10.9.1.2:9000", "[fd09:1::2]:9000"} {
				w.mirror(w.client, at)
			}
			w.gateway.sh(invalid + "\n" + script)
			i := w.install(clientsSpec())
			to := []string{"10.9.1.2:9000", "[fd09:1::2]:9000"}
			if name != "plain" {
				to = []string{"10.9.2.1:9000", "[fd09:2::1]:9000"}
			}
			for range 3 {
				w.expectSeen(w.server, bothProtocols, to, "")
				w.expectSeen(w.client, bothProtocols, mirrors, map[bool]string{true: "any"}[name != "plain"])
			}
			w.gateway.do(func() { // a flow goes on after new rules
				spec := clientsSpec()
				spec.Dports = []PortRange{{1, 65535}}
				if err := i.Replace(spec); err != nil {
					t.Error(err)
				}
			})
			w.expectSeen(w.server, bothProtocols, to, "")
			r.noFailures()
			w.noneInvalid()
			if diverted := w.counter(countNew); diverted == 0 {
				t.Error("nothing was diverted")
			}
		})
	}
}

func (w *world) counter(name string) (packets uint64) {
	for _, c := range w.gateway.status().Counters {
		if c.Name == name {
			packets = c.Packets
		}
	}
	return packets
}

// TestClientsUnderWay: a TCP connection that began before the rules goes on past
// sluice, and a UDP flow through it; the server sees no difference.
func TestClientsUnderWay(t *testing.T) {
	for name, script := range map[string]string{"plain": "", "masquerade": masquerade} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newForeign(t)
			r := w.foreignRelay()
			w.gateway.sh(invalid + "\n" + script)
			conns := append(w.dialed("tcp", mirrors), w.dialed("udp", mirrors)...)
			var seen []string
			for _, conn := range conns {
				first, err := exchange(conn, patience)
				if err != nil {
					t.Fatal(err)
				}
				seen = append(seen, first)
			}
			w.install(clientsSpec())
			for range 3 {
				for i, conn := range conns {
					if got, err := exchange(conn, patience); got != seen[i] || err != nil {
						t.Errorf("%s to %s: %q, %v, before %q", conn.RemoteAddr().Network(), conn.RemoteAddr(), got, err, seen[i])
					}
				}
			}
			if n := w.counter(countReturned); n != 6 {
				t.Errorf("%d UDP replies went through the relay, want 6", n)
			}
			r.noFailures()
			w.noneInvalid()
		})
	}
}
