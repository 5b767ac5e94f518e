package rules

import "testing"

// lan2Proxy is the port of the stand-in for what arrives by lan2.
const lan2Proxy = 12346

// withLan2 adds a second client, at an interface of its own:
//
//	client2 10.9.4.2, fd09:4::2 ---- lan2 10.9.4.1, fd09:4::1
func (w *world) withLan2() *netns {
	other := newNetns(w.t)
	join(w.gateway, other, "lan2", "eth0")
	w.gateway.sh("ip addr add 10.9.4.1/24 dev lan2; ip addr add fd09:4::1/64 dev lan2 nodad; ip link set lan2 up")
	other.sh(`ip addr add 10.9.4.2/24 dev eth0; ip addr add fd09:4::2/64 dev eth0 nodad; ip link set eth0 up
		ip route add default via 10.9.4.1; ip route add default via fd09:4::1`)
	for _, addr := range serverAddrs {
		wait(w.t, "the way from lan2", func() bool { return w.ask(other, "tcp", addr, servicePort) == "server" })
	}
	return other
}

// wayOf is one of both networks.
func wayOf(port uint16, ifaces ...string) Way {
	return Way{Ifaces: ifaces, Port: port, TCP: true, UDP: true}
}

// TestTrafficWays asserts that what arrives by an interface goes to its port, the
// rest to the other, and nothing to a port that is not its own while nobody
// listens there.
func TestTrafficWays(t *testing.T) {
	for name, spec := range map[string]Spec{
		"two ways":  {Ways: []Way{wayOf(proxyPort, "lan"), wayOf(lan2Proxy, "lan2")}},
		"patterns":  {TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"la*"}, Ways: []Way{wayOf(lan2Proxy, "lan2*", "ppp+")}},
		"the rest":  {TCPPort: proxyPort, UDPPort: proxyPort, Ways: []Way{wayOf(lan2Proxy, "lan2")}},
		"rest lan":  {TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"lan"}, Ways: []Way{wayOf(lan2Proxy, "lan2")}},
		"open":      {TCPPort: proxyPort, UDPPort: proxyPort, Ways: []Way{wayOf(lan2Proxy, "lan2")}, Fail: Open},
		"untracked": {Ways: []Way{wayOf(proxyPort, "lan"), wayOf(lan2Proxy, "lan2")}, NoTrack: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			client2 := w.withLan2()
			w.startProxy()
			stop2 := w.serve(w.gateway, "proxy2", "", lan2Proxy, transparent)
			i := w.install(spec)
			for _, network := range []string{"tcp", "udp"} {
				w.expect(w.client, network, serverAddrs, servicePort, "proxy")
				w.expect(client2, network, serverAddrs, servicePort, "proxy2")
				w.expect(client2, network, []string{"10.9.4.1", "fd09:4::1"}, servicePort, "gateway")
			}
			stop2()
			dead := "silence"
			if spec.Fail == Open {
				dead = "server"
			}
			for _, network := range []string{"tcp", "udp"} {
				w.expect(client2, network, serverAddrs, servicePort, dead)
				w.expect(w.client, network, serverAddrs, servicePort, "proxy")
			}
			w.remove(i)
			w.expect(client2, "tcp", serverAddrs, servicePort, "server")
		})
	}
}

// TestTrafficWaysOfNetworks asserts that each network of an interface goes where
// it is said to, also to nobody.
func TestTrafficWaysOfNetworks(t *testing.T) {
	udp2 := Way{Ifaces: []string{"lan2"}, Port: lan2Proxy, UDP: true}
	for name, c := range map[string]struct {
		spec           Spec
		tcp, tcp2, udp string // who answers on lan and lan2
	}{
		"the rest takes it":        {Spec{TCPPort: proxyPort, UDPPort: proxyPort, Ways: []Way{udp2}}, "proxy", "proxy", "proxy"},
		"the rest has not lan2":    {Spec{TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"lan"}, Ways: []Way{udp2}}, "proxy", "server", "proxy"},
		"the rest has not udp":     {Spec{TCPPort: proxyPort, Ways: []Way{udp2}}, "proxy", "proxy", "server"},
		"lan's own way has no udp": {Spec{Ways: []Way{udp2, {Ifaces: []string{"lan"}, Port: proxyPort, TCP: true}}}, "proxy", "server", "server"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			client2 := w.withLan2()
			w.startProxy()
			w.serve(w.gateway, "proxy2", "", lan2Proxy, transparent)
			w.install(c.spec)
			w.expect(w.client, "tcp", serverAddrs, servicePort, c.tcp)
			w.expect(client2, "tcp", serverAddrs, servicePort, c.tcp2)
			w.expect(w.client, "udp", serverAddrs, servicePort, c.udp)
			w.expect(client2, "udp", serverAddrs, servicePort, "proxy2")
		})
	}
}

// TestTrafficWaysRedirect is the same with REDIRECT, and with the gateway's own.
func TestTrafficWaysRedirect(t *testing.T) {
	w := newWorld(t)
	client2 := w.withLan2()
	w.startProxy()
	w.serve(w.gateway, "proxy2", "", lan2Proxy, 0)
	w.install(Spec{Via: Redirect, TCPPort: proxyPort, Output: true, Ways: []Way{{Ifaces: []string{"lan2"}, Port: lan2Proxy, TCP: true}}})
	w.expect(w.client, "tcp", serverAddrs, servicePort, "proxy")
	w.expect(client2, "tcp", serverAddrs, servicePort, "proxy2")
	w.expect(w.gateway, "tcp", serverAddrs, servicePort, "proxy")
	w.expect(client2, "udp", serverAddrs, servicePort, "server")
}

// TestTrafficWaysReplaced asserts that a Replace moves an interface to another
// port, and back.
func TestTrafficWaysReplaced(t *testing.T) {
	w := newWorld(t)
	client2 := w.withLan2()
	w.startProxy()
	w.serve(w.gateway, "proxy2", "", lan2Proxy, transparent)
	alone := Spec{TCPPort: proxyPort, UDPPort: proxyPort}
	split := alone
	split.Ways = []Way{wayOf(lan2Proxy, "lan2")}
	i := w.install(alone)
	for _, c := range []struct {
		spec Spec
		want string
	}{{split, "proxy2"}, {alone, "proxy"}, {split, "proxy2"}} {
		w.gateway.do(func() {
			if err := i.Replace(c.spec); err != nil {
				t.Error(err)
			}
		})
		for _, network := range []string{"tcp", "udp"} {
			w.expect(client2, network, serverAddrs, servicePort, c.want)
			w.expect(w.client, network, serverAddrs, servicePort, "proxy")
		}
	}
	if s := w.gateway.status(); !s.Complete() || len(s.Ways) != 1 || s.Ways[0].String() != "lan2=12346" {
		t.Errorf("status: %+v", s)
	}
}

// TestTrafficWaysPasted pastes what is printed.
func TestTrafficWaysPasted(t *testing.T) {
	for _, format := range []Format{FormatNFT, FormatCommands, FormatIPTables} {
		t.Run(string(format), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			client2 := w.withLan2()
			w.startProxy()
			w.serve(w.gateway, "proxy2", "", lan2Proxy, transparent)
			w.gateway.paste(format, mustText(t, Spec{UDPPort: proxyPort, Ways: []Way{wayOf(lan2Proxy, "lan2")}}, format))
			for _, network := range []string{"tcp", "udp"} {
				w.expect(client2, network, serverAddrs, servicePort, "proxy2")
			}
			w.expect(w.client, "udp", serverAddrs, servicePort, "proxy")
			w.expect(w.client, "tcp", serverAddrs, servicePort, "server")
		})
	}
}
