package rules

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// hostile are rules of others that set, save and restore marks as they like.
var hostile = map[string]string{
	"whole words by iptables": forBoth(`
		-A PREROUTING -j CONNMARK --restore-mark
		-A OUTPUT -j CONNMARK --restore-mark
		-A INPUT -j CONNMARK --save-mark
		-A OUTPUT -j CONNMARK --save-mark
		-A POSTROUTING -j CONNMARK --save-mark`),
	"saved at once": forBoth(`
		-A PREROUTING -j CONNMARK --save-mark
		-A OUTPUT -j CONNMARK --restore-mark
		-A PREROUTING -j CONNMARK --restore-mark`),
	"classes over our bits": forBoth(`
		-A PREROUTING -j CONNMARK --restore-mark
		-A PREROUTING -m mark ! --mark 0 -j ACCEPT
		-A PREROUTING -j MARK --set-mark 0x500
		-A PREROUTING -j CONNMARK --save-mark
		-A OUTPUT -j MARK --set-mark 0x600
		-A POSTROUTING -j MARK --set-mark 0x700
		-A POSTROUTING -j CONNMARK --save-mark`),
	"wg-quick": forBoth(`
		-A POSTROUTING -p udp -m mark --mark 51820 -j CONNMARK --save-mark
		-A PREROUTING -p udp -j CONNMARK --restore-mark`),
	"mwan3": forBoth(`
		-A PREROUTING -j CONNMARK --restore-mark --nfmask 0x3f00 --ctmask 0x3f00
		-A PREROUTING -m mark --mark 0/0x3f00 -j MARK --set-xmark 0x100/0x3f00
		-A PREROUTING -j CONNMARK --save-mark --nfmask 0x3f00 --ctmask 0x3f00
		-A OUTPUT -j CONNMARK --restore-mark --nfmask 0x3f00 --ctmask 0x3f00
		-A OUTPUT -m mark --mark 0/0x3f00 -j MARK --set-xmark 0x200/0x3f00
		-A OUTPUT -j CONNMARK --save-mark --nfmask 0x3f00 --ctmask 0x3f00`),
	"our own mark on clients": forBoth(`
		-A PREROUTING -i lan -j MARK --set-xmark 0x2/0x2
		-A PREROUTING -i lan -j CONNMARK --save-mark
		-A OUTPUT -j CONNMARK --restore-mark`),
	"whole words by nft, late": `nft -f - <<'END'
		table inet hostile {
			chain pre { type filter hook prerouting priority 350; meta mark set ct mark; }
			chain in { type filter hook input priority 350; ct mark set meta mark; }
			chain out { type route hook output priority 350; meta mark set ct mark; }
			chain post { type filter hook postrouting priority 350; ct mark set meta mark; }
		}
END`,
	"all bits, late": `nft -f - <<'END'
		table inet hostile {
			chain pre { type filter hook prerouting priority 0; meta mark set 0xfffffffc; }
			chain out { type route hook output priority 0; meta mark set 0xfffffffc; ct mark set meta mark; }
		}
END`,
	"early": `nft -f - <<'END'
		table inet hostile {
			chain pre { type filter hook prerouting priority -160; meta mark set ct mark; ct mark set meta mark; }
			chain out { type filter hook output priority -160; meta mark set ct mark; ct mark set 0x12; }
		}
END`,
	"not tracked": "for t in iptables ip6tables; do $t -t raw -A PREROUTING -j NOTRACK; $t -t raw -A OUTPUT -j NOTRACK; done",
	"not tracked, raw by nft": `nft -f - <<'END'
		table inet hostile {
			chain pre { type filter hook prerouting priority raw; notrack; }
			chain out { type filter hook output priority raw; notrack; }
		}
END`,
	"whole words and SYN cookies": "sysctl -qw net.ipv4.tcp_syncookies=2\n" + forBoth(`
		-A PREROUTING -j CONNMARK --restore-mark
		-A OUTPUT -j CONNMARK --restore-mark
		-A POSTROUTING -j CONNMARK --save-mark`),
	"the kernel copies": "sysctl -qw net.ipv4.fwmark_reflect=1 net.ipv6.fwmark_reflect=1 net.ipv4.tcp_fwmark_accept=1",
}

// forBoth makes commands of lines of iptables' mangle table.
func forBoth(lines string) string {
	var script strings.Builder
	for line := range strings.Lines(lines) {
		if line = strings.TrimSpace(line); line != "" {
			fmt.Fprintf(&script, "iptables -t mangle %s; ip6tables -t mangle %s\n", line, line)
		}
	}
	return script.String()
}

// insist asks until there is an answer: the stand-in's write-back socket may
// catch a datagram, as sluice's cannot. Of answers that come together it returns
// the first.
func insist(conn net.Conn) (got string, err error) {
	err = os.ErrDeadlineExceeded
	for limit := silence / 10; timedOut(err) && limit < patience; limit *= 2 {
		got, err = exchange(conn, limit)
	}
	got, _, _ = strings.Cut(got, "\n")
	return got, err
}

// talk has several questions answered over one socket.
func (w *world) talk(from *netns, network, addr string, want string) {
	w.t.Helper()
	var conn net.Conn
	from.do(func() {
		var err error
		dialer := net.Dialer{Timeout: patience}
		if conn, err = dialer.Dial(network, net.JoinHostPort(addr, fmt.Sprint(servicePort))); err != nil {
			w.t.Errorf("%s to %s: %v", network, addr, err)
		}
	})
	defer conn.Close()
	for n := range 4 {
		if got, err := insist(conn); got != want {
			w.t.Errorf("%s to %s, message %d: %q, %v, want %q", network, addr, n, got, err, want)
			return
		}
	}
}

// TestMarksOfOthers: whatever others do to marks, before sluice's rules and
// after them, what is diverted stays so, and the rest is left alone.
func TestMarksOfOthers(t *testing.T) {
	for name, script := range hostile {
		for _, first := range []bool{true, false} {
			for _, output := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s/first=%v/output=%v", name, first, output), func(t *testing.T) {
					t.Parallel()
					w := newWorld(t)
					w.startProxy()
					if first {
						w.gateway.sh(script)
					}
					spec := Spec{TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"lan"}, Output: output,
						Exclude: prefixes("10.9.2.3/32", "fd09:2::3/128")}
					w.install(spec)
					if !first {
						w.gateway.sh(script)
					}
					for _, network := range []string{"tcp", "udp"} {
						for _, addr := range serverAddrs {
							w.talk(w.client, network, addr, "proxy")
							own := map[bool]string{true: "proxy", false: "server"}[output]
							w.talk(w.gateway, network, addr, own)
							if got := w.askMarked(w.gateway, network, addr, servicePort, DefaultOwnMark, patience); got != "server" {
								t.Errorf("%s with sluice's mark to %s: %s", network, addr, got)
							}
						}
						w.expect(w.client, network, otherAddrs, servicePort, "server")
						if !output || !strings.HasPrefix(name, "not tracked") { // no reply of the gateway can be told there
							w.expect(w.client, network, lanAddrs, servicePort, "gateway")
						}
					}
				})
			}
		}
	}
}

// TestPrintedAmongOthers: so is what iptables' text diverts, where others stand
// before it in the same chains.
func TestPrintedAmongOthers(t *testing.T) {
	for name, script := range hostile {
		if strings.HasPrefix(name, "classes") || strings.HasSuffix(name, ", late") {
			continue // its rules are not reached, or cannot come last: README says so
		}
		for _, established := range []Established{Keep, Divert} {
			t.Run(fmt.Sprintf("%s/%s", name, established), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.startProxy()
				w.gateway.sh(script)
				w.gateway.sh(mustText(t, Spec{TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"lan"}, Established: established}, FormatIPTables))
				for _, network := range []string{"tcp", "udp"} {
					for _, addr := range serverAddrs {
						w.talk(w.client, network, addr, "proxy")
						w.talk(w.gateway, network, addr, "server")
					}
					w.expect(w.client, network, lanAddrs, servicePort, "gateway")
				}
			})
		}
	}
}

// TestUntracked: no rule ends because there is no conntrack entry.
func TestUntracked(t *testing.T) {
	for _, spec := range []Spec{
		{Ifaces: []string{"lan"}}, {}, {Fail: Open}, {Fail: Open, Ifaces: []string{"lan"}}, {Established: Divert, Ifaces: []string{"lan"}},
	} {
		t.Run(fmt.Sprintf("%s %s %v", spec.Fail, spec.Established, spec.Ifaces), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.gateway.sh(hostile["not tracked"] + "; sysctl -qw net.ipv4.tcp_syncookies=2")
			w.startProxy()
			spec.TCPPort, spec.UDPPort = proxyPort, proxyPort
			w.install(spec)
			for _, network := range []string{"tcp", "udp"} {
				for _, addr := range serverAddrs {
					w.talk(w.client, network, addr, "proxy")
				}
			}
			w.stopProxy()
			dead := "silence"
			if spec.Fail == Open {
				dead = "server"
			}
			w.expect(w.client, "udp", serverAddrs, servicePort, dead)
			w.expect(w.client, "tcp", serverAddrs, servicePort, dead)
		})
	}
}

// TestMarksChange: a reload with other marks keeps what is diverted so.
func TestMarksChange(t *testing.T) {
	w := newWorld(t)
	w.startProxy()
	i := w.install(Spec{TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"lan"}})
	var conns []net.Conn
	w.client.do(func() {
		for _, network := range []string{"tcp", "udp"} {
			for _, addr := range serverAddrs {
				conn, err := net.Dial(network, net.JoinHostPort(addr, fmt.Sprint(servicePort)))
				if err != nil {
					t.Error(err)
					return
				}
				conns = append(conns, conn)
			}
		}
	})
	expect := func(when string) {
		for _, conn := range conns {
			if got, err := insist(conn); got != "proxy" {
				t.Errorf("%s: %s to %s: %q, %v", when, conn.RemoteAddr().Network(), conn.RemoteAddr(), got, err)
			}
		}
	}
	expect("before")
	w.gateway.do(func() {
		if err := i.Replace(Spec{TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"lan"}, Mark: 0x40, Mask: 0x40, CTMark: 0x80, CTMask: 0x80}); err != nil {
			t.Error(err)
		}
	})
	expect("after")
	for _, conn := range conns {
		conn.Close()
	}
}

// TestEntryExpired: where the conntrack entry has gone and the proxy sends
// first, the next one begins with its packet, and the client's looks like a
// reply. It is diverted all the same.
func TestEntryExpired(t *testing.T) {
	for _, established := range []Established{Keep, Divert} {
		t.Run(string(established), func(t *testing.T) {
			w := newWorld(t)
			w.startProxy()
			w.install(Spec{TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"lan"}, Established: established})
			for i, family := range []netlink.InetFamily{unix.AF_INET, unix.AF_INET6} {
				client := []string{"10.9.1.2", "fd09:1::2"}[i]
				var conn *net.UDPConn
				w.client.do(func() {
					var err error
					conn, err = net.DialUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(net.JoinHostPort(client, "5000"))),
						net.UDPAddrFromAddrPort(netip.MustParseAddrPort(net.JoinHostPort(serverAddrs[i], fmt.Sprint(servicePort)))))
					if err != nil {
						t.Error(err)
					}
				})
				defer conn.Close()
				if got, err := insist(conn); got != "proxy" {
					t.Fatal(got, err)
				}
				w.gateway.do(func() {
					if err := netlink.ConntrackTableFlush(netlink.ConntrackTable); err != nil {
						t.Error(err)
						return
					}
					from := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(net.JoinHostPort(serverAddrs[i], fmt.Sprint(servicePort))))
					dialer := net.Dialer{LocalAddr: from, Control: func(_, _ string, c syscall.RawConn) error { return control(c, transparent) }}
					pusher, err := dialer.DialContext(context.Background(), "udp", net.JoinHostPort(client, "5000"))
					if err != nil {
						t.Error(err)
						return
					}
					fmt.Fprint(pusher, "news")
					pusher.Close()
				})
				_ = conn.SetDeadline(time.Now().Add(patience))
				for heard, buffer := "", make([]byte, 100); heard != "news"; { // a late answer may come first
					n, err := conn.Read(buffer)
					if heard = string(buffer[:n]); err != nil {
						t.Fatal(err)
					}
				}
				if got, err := insist(conn); got != "proxy" {
					t.Errorf("family %d, after the proxy's: %q, %v", family, got, err)
				}
			}
		})
	}
}
