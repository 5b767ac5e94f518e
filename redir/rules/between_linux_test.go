package rules

import (
	"fmt"
	"strings"
	"testing"
)

// guests joins another client to the gateway, at interface and subnet n.
func (w *world) guests(iface string, n int) *netns {
	guest := newNetns(w.t)
	join(w.gateway, guest, iface, "eth0")
	w.gateway.sh(fmt.Sprintf("ip addr add 10.9.%d.1/24 dev %s; ip addr add fd09:%[1]d::1/64 dev %[2]s nodad; ip link set %[2]s up", n, iface))
	guest.sh(fmt.Sprintf(`ip addr add 10.9.%d.2/24 dev eth0; ip addr add fd09:%[1]d::2/64 dev eth0 nodad; ip link set eth0 up
		ip route add default via 10.9.%[1]d.1; ip route add default via fd09:%[1]d::1`, n))
	for _, addr := range []string{fmt.Sprintf("10.9.%d.2", n), fmt.Sprintf("fd09:%d::2", n)} {
		w.serve(guest, iface, addr, servicePort, 0)
	}
	wait(w.t, "the way from "+iface, func() bool {
		return w.ask(guest, "tcp", serverAddrs[1], servicePort) == "server"
	})
	return guest
}

func addrsOf(n int) []string {
	return []string{fmt.Sprintf("10.9.%d.2", n), fmt.Sprintf("fd09:%d::2", n)}
}

// closeForward forbids what goes from one interface to another.
const closeForward = `nft -f - <<'END'
	table inet firewall {
		chain forward {
			type filter hook forward priority filter
			iifname != "wan" oifname != "wan" meta l4proto tcp reject with tcp reset
			iifname != "wan" oifname != "wan" reject
		}
	}
END`

// TestBetweenInterfaces: what the forward chain closes between diverted
// interfaces stays closed, unless it is to be diverted too.
func TestBetweenInterfaces(t *testing.T) {
	for name, spec := range map[string]Spec{
		"names":         {Ifaces: []string{"lan", "guest"}},
		"more names":    {Ifaces: []string{"lan", "guest", "vpn1", "vpn2", "none"}, Fail: Open},
		"patterns":      {Ifaces: []string{"lan", "guest", "vpn*"}},
		"both ways":     {Ifaces: []string{"la*", "gue+", "vpn+"}},
		"with output":   {Ifaces: []string{"lan", "guest", "vpn*"}, Output: true},
		"redirect":      {Ifaces: []string{"lan", "guest", "vpn*"}, Via: Redirect},
		"to be carried": {Ifaces: []string{"lan", "guest", "vpn*"}, BetweenIfaces: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.startProxy()
			spec.TCPPort, spec.UDPPort = proxyPort, proxyPort
			networks := []string{"tcp", "udp"}
			if spec.Via == Redirect {
				spec.UDPPort, networks = 0, networks[:1]
			}
			clients := map[int]*netns{1: w.client, 4: w.guests("guest", 4)}
			if len(spec.Ifaces) > 2 {
				clients[5], clients[6] = w.guests("vpn1", 5), w.guests("vpn2", 6)
			}
			w.gateway.sh(closeForward)
			w.install(spec)
			between := "refused"
			if spec.BetweenIfaces {
				between = "proxy"
			}
			for _, network := range networks {
				for n, from := range clients {
					w.expect(from, network, serverAddrs, servicePort, "proxy")
					for to := range clients {
						if to != n {
							w.expect(from, network, addrsOf(to), servicePort, between)
						}
					}
				}
			}
		})
	}
}

// TestOneLeg: a gateway whose only interface leads to the clients and on to
// the world diverts; so does one whose name is a pattern.
func TestOneLeg(t *testing.T) {
	for _, ifaces := range [][]string{{"lan"}, {"la*"}, {"lan", "other"}, {"lan*", "other"}} {
		t.Run(strings.Join(ifaces, " "), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.startProxy()
			w.gateway.sh("ip route add 203.0.113.0/24 via 10.9.1.9; ip route add 2001:db8::/32 via fd09:1::9; sysctl -qw net.ipv4.conf.all.send_redirects=0")
			w.install(Spec{TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: ifaces})
			for _, network := range []string{"tcp", "udp"} {
				w.expect(w.client, network, []string{"203.0.113.1", "2001:db8::1"}, servicePort, "proxy")
			}
		})
	}
}

// TestOutwardInterfaces: only what would leave by these is diverted, also by a
// mark that others set.
func TestOutwardInterfaces(t *testing.T) {
	for name, spec := range map[string]Spec{
		"name":     {Oifaces: []string{"wan"}},
		"pattern":  {Oifaces: []string{"wa+", "ppp*"}, Ifaces: []string{"lan"}},
		"output":   {Oifaces: []string{"wan", "tun0"}, Ifaces: []string{"lan"}, Output: true},
		"redirect": {Oifaces: []string{"wan"}, Via: Redirect, Output: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.startProxy()
			spec.TCPPort, spec.UDPPort = proxyPort, proxyPort
			networks := []string{"tcp", "udp"}
			if spec.Via == Redirect {
				spec.UDPPort, networks = 0, networks[:1]
			}
			w.guests("guest", 4)
			w.gateway.sh(`ip rule add fwmark 0x100/0x100 lookup 77; ip route add 10.9.2.3/32 via 10.9.4.2 table 77
				ip -6 rule add fwmark 0x100/0x100 lookup 77; ip -6 route add fd09:2::3/128 via fd09:4::2 table 77
				nft -f - <<'END'
				table inet other {
					chain pre { type filter hook prerouting priority -160; th dport 81 meta mark set 0x100; }
				}
END`)
			w.install(spec)
			for _, network := range networks {
				w.expect(w.client, network, serverAddrs, servicePort, "proxy")
				w.expect(w.client, network, addrsOf(4), servicePort, "guest")
				w.expect(w.client, network, otherAddrs, 81, "silence") // by the mark, to guest, who does not have it
				w.expect(w.client, network, otherAddrs, 82, "proxy")
				if spec.Output {
					w.expect(w.gateway, network, serverAddrs, servicePort, "proxy")
					w.expect(w.gateway, network, addrsOf(4), servicePort, "guest")
				}
			}
		})
	}
}

// TestInterfacesComeLater: rules name interfaces that are not there yet.
func TestInterfacesComeLater(t *testing.T) {
	for _, format := range []Format{"", FormatNFT, FormatIPTables} {
		t.Run(string(format), func(t *testing.T) {
			w := newWorld(t)
			w.startProxy()
			late := w.guests("tmp0", 4)
			spec := Spec{TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"ppp+", "wg0"}, BetweenIfaces: true}
			switch format {
			case "":
				w.install(spec)
			case FormatNFT:
				w.gateway.sh(routing + "\nnft -f - <<'END'\n" + mustText(t, spec, format) + "END\n")
			default:
				w.gateway.sh(mustText(t, spec, format))
			}
			for _, name := range []string{"ppp7", "wg0"} {
				w.gateway.sh(fmt.Sprintf(`was=$(ip -o -4 addr show to 10.9.4.1 | awk '{print $2}'); ip link set $was down
					ip link set $was name %s; ip link set %[1]s up; ip addr replace fd09:4::1/64 dev %[1]s nodad`, name))
				for _, network := range []string{"tcp", "udp"} {
					w.expect(late, network, serverAddrs, servicePort, "proxy")
					w.expect(w.client, network, serverAddrs, servicePort, "server")
				}
			}
		})
	}
}
