package rules

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// foreignAddrs are the server's, beyond the gateway, which has no address of
// the kind.
var foreignAddrs = []string{"222.173.190.239", "2001:db8:dead::beef"}

const foreignPort = 51966

// withForeign gives the server the foreign addresses.
func (w *world) withForeign() {
	w.server.sh("ip addr add 222.173.190.239/32 dev eth0; ip addr add 2001:db8:dead::beef/128 dev eth0 nodad")
	w.gateway.sh("ip route add 222.173.190.239 via 10.9.2.2; ip route add 2001:db8:dead::beef via fd09:2::2")
	for _, addr := range foreignAddrs {
		w.serve(w.server, "server", addr, foreignPort, 0)
		w.serve(w.server, "server", addr, servicePort, 0)
	}
}

// listenForeign has the gateway listen there.
func (w *world) listenForeign() (stop func()) {
	var stops []func()
	for _, addr := range foreignAddrs {
		stops = append(stops, w.serve(w.gateway, "foreign", addr, foreignPort, transparent))
	}
	return func() {
		for _, stop := range stops {
			stop()
		}
	}
}

func foreignListeners() (all []Listener) {
	for _, addr := range foreignAddrs {
		all = append(all, Listener{netip.AddrPortFrom(netip.MustParseAddr(addr), foreignPort), true, true})
	}
	return all
}

// TestTrafficListeners asserts that what goes to a foreign address and port that
// is listened on arrives, from whichever side, and nothing else of that address;
// and what becomes of it while nobody listens.
func TestTrafficListeners(t *testing.T) {
	for name, c := range map[string]struct {
		spec  Spec
		other string // who answers on another port of the address
	}{
		"alone":    {Spec{}, "server"},
		"open":     {Spec{Fail: Open}, "server"},
		"tracked":  {Spec{NoTrack: true}, "server"},
		"tproxy":   {Spec{TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"lan"}}, "proxy"},
		"anywhere": {Spec{TCPPort: proxyPort, UDPPort: proxyPort, NoTrack: false}, "proxy"},
		"ways":     {Spec{Ways: []Way{wayOf(proxyPort, "lan")}, NoTrack: true}, "proxy"},
		"redirect": {Spec{Via: Redirect, TCPPort: proxyPort, Ifaces: []string{"lan"}, Output: true}, "proxy"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.withForeign()
			w.startProxy()
			stop := w.listenForeign()
			c.spec.Listeners = foreignListeners()
			i := w.install(c.spec)
			for _, network := range []string{"tcp", "udp"} {
				other := c.other
				if network == "udp" && c.spec.Via == Redirect {
					other = "server"
				}
				w.expect(w.client, network, foreignAddrs, foreignPort, "foreign")
				w.expect(w.client, network, foreignAddrs, servicePort, other)
				w.expect(w.client, network, serverAddrs, servicePort, other)
				w.expect(w.client, network, lanAddrs, servicePort, "gateway")
			}
			if s := w.gateway.status(); !s.Complete() || len(s.Listeners) != 2 {
				t.Errorf("status: %+v", s)
			}
			stop()
			dead := "silence"
			if c.spec.Fail == Open {
				dead = "server"
			}
			for _, network := range []string{"tcp", "udp"} {
				w.expect(w.client, network, foreignAddrs, foreignPort, dead)
			}
			w.listenForeign()
			for range 20 { // sockets in TIME_WAIT too
				w.expect(w.client, "tcp", foreignAddrs, foreignPort, "foreign")
			}
			w.remove(i)
			for _, network := range []string{"tcp", "udp"} {
				w.expect(w.client, network, foreignAddrs, foreignPort, "server")
			}
		})
	}
}

// TestTrafficListenersOfEachSide asserts that listeners are reached at an
// interface where nothing else is diverted, past rp_filter, and with others' rules
// that take the mark off.
func TestTrafficListenersOfEachSide(t *testing.T) {
	w := newWorld(t)
	w.withForeign()
	w.server.sh("ip addr del 222.173.190.239/32 dev eth0; ip addr del 2001:db8:dead::beef/128 dev eth0")
	w.listenForeign()
	w.gateway.sh(`sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.wan.rp_filter=1 net.ipv4.conf.lan.rp_filter=1
		nft 'add table inet t; add chain inet t p { type filter hook prerouting priority -140; }; add rule inet t p meta mark set 0x40'`)
	w.startProxy()
	w.install(Spec{TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"lan"}, Listeners: foreignListeners()})
	for _, network := range []string{"tcp", "udp"} {
		w.expect(w.server, network, foreignAddrs, foreignPort, "foreign")
		w.expect(w.client, network, foreignAddrs, foreignPort, "foreign")
		w.expect(w.client, network, serverAddrs, servicePort, "proxy")
	}
}

// TestTrafficListenersUntracked asserts that NoTrack leaves no entry of theirs.
func TestTrafficListenersUntracked(t *testing.T) {
	w := newWorld(t)
	w.withForeign()
	w.listenForeign()
	w.install(Spec{NoTrack: true, Listeners: foreignListeners()})
	for _, network := range []string{"tcp", "udp"} {
		w.expect(w.client, network, foreignAddrs, foreignPort, "foreign")
	}
	for _, entry := range w.tracked(foreignPort) {
		t.Error("tracked: ", entry)
	}
}

// TestTrafficListenersPasted pastes what is printed.
func TestTrafficListenersPasted(t *testing.T) {
	for _, format := range []Format{FormatNFT, FormatCommands, FormatIPTables} {
		for name, spec := range map[string]Spec{"alone": {}, "lan": {TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"lan"}}} {
			t.Run(fmt.Sprint(format, " ", name), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.withForeign()
				w.startProxy()
				stop := w.listenForeign()
				spec.Listeners = foreignListeners()
				w.gateway.paste(format, mustText(t, spec, format))
				for _, network := range []string{"tcp", "udp"} {
					w.expect(w.client, network, foreignAddrs, foreignPort, "foreign")
				}
				if s := w.gateway.status(); !s.Installed || !strings.Contains(s.String(), "by hand, to stay") {
					t.Errorf("status: %s", s)
				}
				stop()
				for _, network := range []string{"tcp", "udp"} {
					w.expect(w.client, network, foreignAddrs, foreignPort, "silence")
				}
			})
		}
	}
}
