package rules

import (
	"fmt"
	"net"
	"strings"
	"testing"
)

// tracked are the gateway's conntrack entries that have to do with a port.
func (w *world) tracked(port int) (entries []string) {
	for line := range strings.Lines(w.gateway.sh("cat /proc/net/nf_conntrack 2>/dev/null || conntrack -L 2>/dev/null")) {
		if strings.Contains(line, fmt.Sprintf("port=%d ", port)) {
			entries = append(entries, line)
		}
	}
	return entries
}

// TestNoTrack: what is diverted goes as ever and leaves no entry, neither of its
// own leg nor of the one upstream; what is left alone is tracked as ever.
func TestNoTrack(t *testing.T) {
	for name, spec := range map[string]Spec{
		"lan":   {Ifaces: []string{"lan"}},
		"TCP":   {},
		"ports": {Ifaces: []string{"lan"}, Dports: []PortRange{{servicePort, servicePort}, {7777, 9999}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			spec.TCPPort, spec.NoTrack = proxyPort, true
			networks := []string{"tcp"}
			if len(spec.Ifaces) > 0 {
				spec.UDPPort, networks = proxyPort, []string{"tcp", "udp"}
			}
			spec.Exclude = prefixes("10.9.2.3/32", "fd09:2::3/128")
			for _, addr := range []string{"10.9.1.2", "fd09:1::2"} {
				w.serve(w.client, "behind", addr, 9000, 0)
			}
			w.startProxy()
			i := w.install(spec)
			for _, network := range networks {
				w.expect(w.client, network, serverAddrs, servicePort, "proxy")
				w.expect(w.client, network, serverAddrs, 7777, "proxy")
				w.expect(w.client, network, lanAddrs, servicePort, "gateway")
				for _, addr := range serverAddrs {
					if got := w.askMarked(w.gateway, network, addr, servicePort, DefaultOwnMark, patience); got != "server" {
						t.Errorf("%s with sluice's mark to %s: %s", network, addr, got)
					}
				}
			}
			if len(spec.Ifaces) > 0 {
				w.expect(w.server, "tcp", []string{"10.9.1.2", "fd09:1::2"}, 9000, "behind")
			}
			for _, entry := range w.tracked(7777) {
				t.Error("tracked: ", entry)
			}
			for _, entry := range w.tracked(servicePort) {
				if strings.Contains(entry, "10.9.2.2 ") || strings.Contains(entry, "0002:0000:0000:0000:0000:0002 ") {
					t.Error("tracked: ", entry)
				}
			}
			w.expect(w.client, "udp", otherAddrs, servicePort, "server")
			if len(w.tracked(servicePort)) == 0 {
				t.Error("what is forwarded is not tracked")
			}
			w.stopProxy()
			for _, network := range networks {
				w.expect(w.client, network, serverAddrs, servicePort, "silence")
			}
			w.remove(i)
			w.expect(w.client, "tcp", serverAddrs, servicePort, "server")
		})
	}
}

// TestNoTrackKeeps has a connection that began before the rules go on.
func TestNoTrackKeeps(t *testing.T) {
	w := newWorld(t)
	for _, addr := range serverAddrs {
		w.gateway.sh("nft -f - <<'END'\ntable inet track { chain c {\n type filter hook forward priority 0\n ct state established counter\n }\n }\nEND")
		var conn net.Conn
		w.client.do(func() {
			var err error
			if conn, err = net.Dial("tcp", net.JoinHostPort(addr, fmt.Sprint(servicePort))); err != nil {
				t.Fatal(err)
			}
		})
		defer conn.Close()
		if got, err := exchange(conn, patience); got != "server" {
			t.Fatalf("%s, %v", got, err)
		}
		w.startProxy()
		i := w.install(Spec{TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"lan"}, NoTrack: true})
		if got, err := exchange(conn, patience); got != "server" {
			t.Errorf("the connection under way: %s, %v", got, err)
		}
		w.expect(w.client, "tcp", []string{addr}, servicePort, "proxy")
		w.remove(i)
		w.stopProxy()
	}
}

// TestNoTrackText: nft loads what is printed.
func TestNoTrackText(t *testing.T) {
	w := newWorld(t)
	w.startProxy()
	w.gateway.sh(mustText(t, Spec{TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"lan"}, NoTrack: true}, FormatCommands))
	t.Cleanup(func() { w.gateway.do(func() { _, _ = Remove() }) })
	for _, network := range []string{"tcp", "udp"} {
		w.expect(w.client, network, serverAddrs, servicePort, "proxy")
	}
}
