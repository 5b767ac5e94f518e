package rules

import (
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// toServers forwards what goes to some of the servers' ports, behind a decision
// that takes one of them out.
func toServers() []Decision {
	all := addrs("10.9.2.0/24", "fd09:2::/64")
	return []Decision{
		{Dests: all, DestPorts: []PortRange{{81, 81}}},
		{Forward: true, Dests: all, DestPorts: []PortRange{{servicePort, 83}}},
	}
}

// TestDecisions: what decisions say is forwarded and the rest diverted, whatever
// else the rules have to do.
func TestDecisions(t *testing.T) {
	for name, spec := range map[string]Spec{
		"lan":      {Ifaces: []string{"lan"}},
		"anywhere": {Established: Divert},
		"ways":     {Ways: []Way{{Ifaces: []string{"lan"}, Port: proxyPort, TCP: true, UDP: true}}},
		"open":     {Ifaces: []string{"lan"}, Fail: Open},
		"redirect": {Via: Redirect},
		"output":   {Ifaces: []string{"lan"}, Output: true},
		"round":    {Via: Redirect, Output: true},
		"notrack":  {Ifaces: []string{"lan"}, NoTrack: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			networks := []string{"tcp", "udp"}
			if spec.Via == Redirect {
				networks = networks[:1]
			}
			if spec.TCPPort = proxyPort; spec.Via != Redirect {
				spec.UDPPort = proxyPort
			}
			if len(spec.Ways) > 0 {
				spec.TCPPort, spec.UDPPort = 0, 0
			}
			for _, addr := range serverAddrs {
				w.serve(w.server, "server", addr, 81, 0)
				w.serve(w.server, "server", addr, 83, 0)
			}
			spec.Decisions = toServers()
			w.startProxy()
			i := w.install(spec)
			own := "server"
			if spec.Output {
				own = "proxy"
			}
			for _, network := range networks {
				w.expect(w.client, network, serverAddrs, servicePort, "server")
				w.expect(w.client, network, serverAddrs, 81, "proxy")
				w.expect(w.client, network, serverAddrs, 83, "server")
				w.expect(w.client, network, serverAddrs, 84, "proxy")
				w.expect(w.client, network, lanAddrs, servicePort, "gateway")
				w.expect(w.gateway, network, serverAddrs, servicePort, "server")
				w.expect(w.gateway, network, serverAddrs, 81, own)
			}
			w.stopProxy()
			for _, network := range networks {
				w.expect(w.client, network, serverAddrs, servicePort, "server")
			}
			spec.Decisions[1].Invert = true
			w.startProxy()
			w.replace(i, spec)
			for _, network := range networks {
				w.expect(w.client, network, serverAddrs, 83, "proxy")
				w.expect(w.client, network, serverAddrs, 81, "proxy")
				w.expect(w.client, network, otherAddrs, 84, "refused")
			}
			w.remove(i)
		})
	}
}

func (w *world) replace(i *Installed, spec Spec) {
	w.t.Helper()
	w.gateway.do(func() {
		if err := i.Replace(spec); err != nil {
			w.t.Error(err)
		}
	})
}

// TestDecisionsOfInlets: what arrives by one way is forwarded, what arrives by
// another is not.
func TestDecisionsOfInlets(t *testing.T) {
	w := newWorld(t)
	w.startProxy()
	spec := Spec{TCPPort: proxyPort, UDPPort: proxyPort, Ways: []Way{{Ifaces: []string{"lan"}, Port: proxyPort + 1, TCP: true, UDP: true}}}
	w.proxy = append(w.proxy, w.serve(w.gateway, "way", "", proxyPort+1, transparent))
	for want, port := range map[string]uint16{"way": proxyPort, "server": proxyPort + 1} {
		spec.Decisions = []Decision{{Forward: true, Inlets: []Inlet{{port, true, true}}}}
		i := w.install(spec)
		for _, network := range []string{"tcp", "udp"} {
			w.expect(w.client, network, serverAddrs, servicePort, want)
		}
		w.remove(i)
	}
}

// TestDecisionsLast: whatever is decided anew, a flow goes on as it began: those
// that the kernel forwards and those that sluice has, answered or not.
func TestDecisionsLast(t *testing.T) {
	for _, established := range []Established{Keep, Divert} {
		t.Run(string(established), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for _, addr := range serverAddrs {
				w.serve(w.server, "server", addr, 81, 0)
			}
			w.startProxy()
			spec := Spec{TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"lan"}, Established: established, Decisions: toServers()}
			i := w.install(spec)
			type flow struct {
				conn net.Conn
				want string
			}
			var flows []flow
			begin := func(network, addr string, port int, want string, answered bool) {
				w.client.do(func() {
					conn, err := net.Dial(network, net.JoinHostPort(addr, fmt.Sprint(port)))
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { conn.Close() })
					if !answered {
						_, err = conn.Write([]byte("lost"))
					} else if got, failed := exchange(conn, patience); got != want {
						t.Errorf("%s to %s port %d: %q, %v, want %s", network, addr, port, got, failed, want)
					}
					if err != nil {
						t.Error(err)
					}
					flows = append(flows, flow{conn, want})
				})
			}
			for _, addr := range serverAddrs {
				for _, network := range []string{"tcp", "udp"} {
					begin(network, addr, servicePort, "server", true)
					begin(network, addr, 81, "proxy", true)
				}
			}
			w.server.sh("nft -f - <<'END'\ntable inet deaf { chain c {\n type filter hook input priority 0\n udp dport 80-83 drop\n }\n }\nEND")
			for _, addr := range serverAddrs {
				begin("udp", addr, 82, "", false)
				begin("udp", addr, servicePort, "server", false)
			}
			w.server.sh("nft delete table inet deaf")
			for round := range 3 {
				for n := range spec.Decisions {
					spec.Decisions[n].Forward = !spec.Decisions[n].Forward
				}
				spec.Decisions = slices.Clone(spec.Decisions)
				w.replace(i, spec)
				if round == 1 { // somebody saves a mark of his own over ours, from the next packet on
					w.gateway.sh("nft -f - <<'END'\ntable inet wipe { chain c {\n type filter hook prerouting priority 0\n ct mark set 0\n }\n }\nEND")
				}
				for _, f := range flows {
					if f.want == "" {
						continue
					}
					w.client.do(func() {
						if got, err := exchange(f.conn, patience); got != f.want {
							t.Errorf("%s to %s: %q, %v, want %s", f.conn.LocalAddr().Network(), f.conn.RemoteAddr(), got, err, f.want)
						}
					})
				}
			}
			for _, network := range []string{"tcp", "udp"} {
				w.expect(w.client, network, serverAddrs, servicePort, "proxy")
			}
		})
	}
}

// TestDecisionsPasted: nft loads what is printed, and status knows of it.
func TestDecisionsPasted(t *testing.T) {
	w := newWorld(t)
	w.startProxy()
	w.gateway.sh(mustText(t, Spec{TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"lan"}, Decisions: toServers(),
		Ways: []Way{{Ifaces: []string{"a", "b*"}, Port: 7, TCP: true}}}, FormatCommands))
	t.Cleanup(func() { w.gateway.do(func() { _, _ = Remove() }) })
	for _, network := range []string{"tcp", "udp"} {
		w.expect(w.client, network, serverAddrs, servicePort, "server")
		w.expect(w.client, network, serverAddrs, 81, "proxy")
	}
	w.gateway.do(func() {
		if status, err := ReadStatus(); err != nil || !status.Complete() || status.Decisions != 2 {
			t.Errorf("%+v, %v", status, err)
		}
	})
}

// TestReplaceMany swaps thousands of networks under load: no datagram is lost and
// no connection broken, of flows that are forwarded and of those that are not, and
// nothing that is for sluice gets past it.
func TestReplaceMany(t *testing.T) {
	const networks, swaps = 20_000, 4
	w := newWorld(t)
	w.startProxy()
	seen := w.witness()
	spec := Spec{TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"lan"}}
	several := func(n int) []Decision {
		all := append(toServers(), amongMany(networks+2*n)...)
		all[len(all)-1].DestPorts = []PortRange{{1, 1}}
		return all
	}
	spec.Decisions = several(0)
	i := w.install(spec)
	var stops []func()
	stop := func() {
		for _, stop := range stops {
			stop()
		}
		stops = nil
	}
	defer stop()
	for want, port := range map[string]int{"server": servicePort, "proxy": 90} {
		for _, network := range []string{"tcp", "udp"} {
			for _, addr := range serverAddrs {
				stops = append(stops, w.keepAsking(network, addr, port, want))
			}
		}
	}
	stops = append(stops, w.load())
	for n := range swaps {
		spec.Decisions = several(n + 1)
		w.replace(i, spec)
	}
	stop()
	if n := seen.direct.Load(); n != 0 {
		t.Errorf("%d passed by", n)
	}
}

// keepAsking has exchanges go on until they are stopped, one after the other: over
// one flow, and over a new one each time. (Not over one of UDP with the stand-in,
// whose answering socket may take in the next datagram.)
func (w *world) keepAsking(network, addr string, port int, want string) (stop func()) {
	var stopped atomic.Bool
	var running sync.WaitGroup
	at := net.JoinHostPort(addr, fmt.Sprint(port))
	again := func(ask func() (string, error)) {
		defer running.Done()
		for n := 0; !stopped.Load(); n++ {
			if got, err := ask(); got != want {
				w.t.Errorf("%s to %s, exchange %d: %q, %v, want %s", network, at, n, got, err, want)
				return
			}
		}
	}
	var conn net.Conn
	w.client.do(func() {
		var err error
		if conn, err = net.Dial(network, at); err != nil {
			w.t.Fatal(err)
		}
	})
	w.t.Cleanup(func() { conn.Close() })
	if network == "tcp" || want != "proxy" {
		running.Add(1)
		go again(func() (string, error) { return exchange(conn, patience) })
	}
	running.Add(1)
	from := w.client.thread()
	go again(func() (got string, err error) {
		from.calls <- func() { // no do: this is no goroutine of the test's
			fresh, dialed := net.Dial(network, at)
			if err = dialed; err == nil {
				defer fresh.Close()
				got, err = exchange(fresh, patience)
			}
		}
		done := make(chan struct{})
		from.calls <- func() { close(done) }
		<-done
		return got, err
	})
	return func() { stopped.Store(true); running.Wait() }
}

// TestDecisionsOfClients: where upstreams bear clients' addresses, what is left to
// the kernel is masqueraded as ever, and no packet is invalid.
func TestDecisionsOfClients(t *testing.T) {
	for _, fail := range []Fail{Closed, Open} {
		t.Run(string(fail), func(t *testing.T) {
			t.Parallel()
			w := newForeign(t)
			r := w.foreignRelay()
			w.gateway.sh(invalid + "\n" + masquerade)
			spec := clientsSpec()
			spec.Fail = fail
			spec.Decisions = []Decision{{Forward: true, DestPorts: []PortRange{{7001, 7001}}}}
			i := w.install(spec)
			ask := func() {
				for family, addr := range mirrors {
					w.expectSeen(w.client, bothProtocols, []string{addr}, []string{"10.9.2.1", "fd09:2::1"}[family])
				}
			}
			ask()
			if n := w.passed(); n != "packets 0" {
				t.Errorf("the kernel forwarded %s past the relay", n)
			}
			spec.Decisions = []Decision{{DestPorts: []PortRange{{1, 1}}}, {Forward: true, DestPorts: []PortRange{{7000, 7000}}}}
			w.replace(i, spec)
			ask()
			if n := w.passed(); n == "packets 0" {
				t.Error("the kernel forwarded nothing")
			}
			r.noFailures()
			w.noneInvalid()
		})
	}
}
