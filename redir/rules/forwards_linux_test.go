package rules

import (
	"os"
	"strings"
	"testing"
)

// ways are the ways in which rules come to a gateway whose LAN is lan, with
// the stand-in at proxyPort.
func ways(t *testing.T) map[string]func(w *world) {
	spec := Spec{TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"lan"}}
	with := func(change func(*Spec)) func(w *world) {
		changed := spec
		change(&changed)
		return func(w *world) { w.install(changed) }
	}
	printed := func(format Format, change func(*Spec)) func(w *world) {
		changed := spec
		change(&changed)
		return func(w *world) {
			text := mustText(t, changed, format)
			if format == FormatNFT {
				text = routing + "\nnft -f - <<'END'\n" + text + "END\n"
			}
			w.gateway.sh(text)
			w.t.Cleanup(func() { w.gateway.do(func() { _, _ = Remove() }) })
		}
	}
	divert := func(s *Spec) { s.Established = Divert }
	return map[string]func(w *world){
		"installed":       with(func(s *Spec) {}),
		"divert":          with(divert),
		"open":            with(func(s *Spec) { s.Fail = Open }),
		"with output":     with(func(s *Spec) { s.Output = true }),
		"several ifaces":  with(func(s *Spec) { s.Ifaces, s.Established = []string{"lan", "lan9", "guest*"}, Divert }),
		"every iface":     with(func(s *Spec) { s.Ifaces, s.Established = nil, Divert }),
		"by nft":          printed(FormatNFT, divert),
		"by commands":     printed(FormatCommands, func(s *Spec) {}),
		"by iptables":     printed(FormatIPTables, func(s *Spec) {}),
		"iptables divert": printed(FormatIPTables, divert),
		"README nft":      func(w *world) { w.gateway.sh(readme(t, "ip    rule", "nft -f -")) },
		"README iptables": func(w *world) {
			script := readme(t, "iptables -t mangle -N DIVERT")
			w.gateway.sh(readme(t, "ip    rule") + script)
			six := strings.NewReplacer("iptables", "ip6tables", "-p icmp --icmp-type", "-p icmpv6 --icmpv6-type",
				"for kind in ", "for kind in packet-too-big ").Replace(script)
			var kept []string
			for line := range strings.Lines(six) {
				if !strings.Contains(line, "BROADCAST") {
					kept = append(kept, line)
				}
			}
			w.gateway.sh(strings.Join(kept, ""))
		},
	}
}

// routing is what the default marks need beside a table.
const routing = `
	ip rule add fwmark 0x1/0x1 lookup 100; ip route add local default dev lo table 100
	ip -6 rule add fwmark 0x1/0x1 lookup 100; ip -6 route add local default dev lo table 100`

// readme returns the README's indented blocks that begin so, for this world.
func readme(t *testing.T, beginnings ...string) (script string) {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, beginning := range beginnings {
		_, rest, found := strings.Cut(string(text), "\n    "+beginning)
		if !found {
			t.Fatalf("README.md has no block that begins with %q", beginning)
		}
		block, _, _ := strings.Cut("    "+beginning+rest, "\n\n")
		for line := range strings.Lines(block + "\n") {
			script += strings.TrimPrefix(line, "    ")
		}
	}
	return strings.ReplaceAll(script, "lan0", "lan")
}

// TestForwardedConnections: connections that others began to what is behind
// the gateway keep their replies, however the rules got there; the client's
// own are diverted.
func TestForwardedConnections(t *testing.T) {
	for name, install := range ways(t) {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.gateway.sh(`nft -f - <<'END'
				table inet ports {
					chain pre {
						type nat hook prerouting priority dstnat
						ip daddr 10.9.2.1 meta l4proto { tcp, udp } th dport 8022 dnat ip to 10.9.1.2:9000
						ip6 daddr fd09:2::1 meta l4proto { tcp, udp } th dport 8022 dnat ip6 to [fd09:1::2]:9000
					}
					chain post {
						type nat hook postrouting priority srcnat
						iifname lan oifname lan masquerade
					}
				}
END`)
			for _, addr := range []string{"10.9.1.2", "fd09:1::2"} {
				w.serve(w.client, "behind", addr, 9000, 0)
			}
			w.startProxy()
			install(w)
			for _, network := range []string{"tcp", "udp"} {
				w.expect(w.server, network, []string{"10.9.2.1", "fd09:2::1"}, 8022, "behind")
				w.expect(w.client, network, []string{"10.9.2.1", "fd09:2::1"}, 8022, "behind")
				if name != "every iface" { // there, these are for sluice too
					w.expect(w.server, network, []string{"10.9.1.2", "fd09:1::2"}, 9000, "behind")
				}
				w.expect(w.client, network, serverAddrs, servicePort, "proxy")
				w.expect(w.client, network, lanAddrs, servicePort, "gateway")
			}
		})
	}
}

// TestForwardedUnderRedirect: a nat chain sees the first packet alone.
func TestForwardedUnderRedirect(t *testing.T) {
	w := newWorld(t)
	for _, addr := range []string{"10.9.1.2", "fd09:1::2"} {
		w.serve(w.client, "behind", addr, 9000, 0)
	}
	w.startProxy()
	w.install(Spec{Via: Redirect, TCPPort: proxyPort, Ifaces: []string{"lan"}})
	for _, network := range []string{"tcp", "udp"} {
		w.expect(w.server, network, []string{"10.9.1.2", "fd09:1::2"}, 9000, "behind")
	}
	w.expect(w.client, "tcp", serverAddrs, servicePort, "proxy")
}
