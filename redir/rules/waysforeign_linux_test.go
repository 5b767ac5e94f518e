package rules

import (
	"context"
	"net"
	"net/netip"
	"syscall"
	"testing"
)

// TestClientsByWays has servers see clients of an interface's own way, and of the
// rest, through masquerade and a strict firewall; and nothing pass a dead relay.
func TestClientsByWays(t *testing.T) {
	for name, spec := range map[string]Spec{
		"way":  {Ways: []Way{wayOf(proxyPort, "lan")}},
		"open": {Ways: []Way{wayOf(proxyPort, "lan"), wayOf(lan2Proxy, "lan2")}, Fail: Open},
		"two":  {Ways: []Way{wayOf(lan2Proxy, "lan2"), wayOf(proxyPort, "lan")}},
		"rest": {TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"lan"}, Ways: []Way{{Ifaces: []string{"lan2"}, Port: lan2Proxy, TCP: true}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newForeign(t)
			r := w.foreignRelay()
			w.gateway.sh(invalid + "\n" + masquerade + "\n" + strict)
			spec.Sources = Sources{Clients: true, Ports: true}
			if name == "two" {
				spec.Sources.UDPPort = proxyPort
			}
			w.install(spec)
			for range 3 {
				w.expectSeen(w.client, bothProtocols, mirrors[:1], "10.9.2.1")
				w.expectSeen(w.client, bothProtocols, mirrors[1:], "fd09:2::1")
			}
			r.noFailures()
			w.noneInvalid()
			if n := w.passed(); n != "packets 0" {
				t.Errorf("the kernel forwarded %s past the relay", n)
			}
			r.stop()
			if spec.Fail != Open {
				w.expectSeen(w.client, bothProtocols, mirrors, "silence")
			}
		})
	}
}

// TestClientsOfListeners has a relay at the servers' own addresses, with nothing
// diverted but what goes there: both legs have the same addresses and ports.
func TestClientsOfListeners(t *testing.T) {
	for name, script := range map[string]string{"plain": "", "masquerade": masquerade} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newForeign(t)
			r := w.foreignRelay()
			var listeners []Listener
			for _, at := range mirrors {
				r.listenAt(at)
				listeners = append(listeners, Listener{Addr: netip.MustParseAddrPort(at), TCP: true})
			}
			w.gateway.sh(invalid + "\n" + script)
			want := []string{"", ""}
			if script != "" {
				want = []string{"10.9.2.1", "fd09:2::1"}
			}
			w.install(Spec{Listeners: listeners, Sources: Sources{Clients: true, Ports: true, UDPPort: proxyPort}})
			for range 3 {
				for family, at := range mirrors {
					w.expectSeen(w.client, bothProtocols[:1], []string{at}, want[family])
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

// TestClientsAlone has a relay at an address of the gateway's lead elsewhere, with
// nothing diverted at all but what returns.
func TestClientsAlone(t *testing.T) {
	for name, script := range map[string]string{"plain": "", "masquerade": masquerade} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newForeign(t)
			r := w.foreignRelay(func(r *relay) {
				r.mapped = func(dest netip.AddrPort) netip.AddrPort {
					return netip.MustParseAddrPort(mirrors[(dest.Addr().BitLen()-32)/96])
				}
			})
			w.gateway.sh(invalid + "\n" + script)
			want := []string{"", ""}
			if script != "" {
				want = []string{"10.9.2.1", "fd09:2::1"}
			}
			w.install(Spec{Sources: Sources{Clients: true, Ports: true, UDPPort: proxyPort}})
			for range 3 {
				for family, at := range []string{"10.9.1.1:12345", "[fd09:1::1]:12345"} {
					w.expectSeen(w.client, bothProtocols[:1], []string{at}, want[family])
				}
			}
			r.noFailures()
			w.noneInvalid()
		})
	}
}

// listenAt takes in TCP at an address too.
func (r *relay) listenAt(at string) {
	config := net.ListenConfig{Control: func(network, address string, c syscall.RawConn) error { return control(c, transparent) }}
	config.SetMultipathTCP(false)
	r.w.gateway.do(func() {
		l, err := config.Listen(context.Background(), "tcp", at)
		if err != nil {
			r.w.t.Fatal(err)
		}
		r.keep(l)
		go r.accept(l)
	})
}
