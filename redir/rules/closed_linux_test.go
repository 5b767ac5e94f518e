package rules

import (
	"fmt"
	"net"
	"strings"
	"testing"
)

// flush is what firewalls do that are loaded anew: all tables, with others
// behind; ours; parts of ours. The kernel refuses what names ours.
const flush = `nft flush ruleset
	printf 'flush ruleset\ntable inet other { chain c { type filter hook forward priority 0; accept; }; }\n' | nft -f -
	! nft delete table inet sluice 2>/dev/null
	! nft flush chain inet sluice prerouting 2>/dev/null
	! nft insert rule inet sluice prerouting accept 2>/dev/null
	! nft add chain inet sluice more 2>/dev/null`

// unroute takes the routing away, as networkd does with what it does not know.
const unroute = `for v in -4 -6; do
	ip $v rule del pref 90 2>/dev/null || true
	ip $v route flush table 100
	done; ip rule del pref 89 2>/dev/null || true`

// closed is a gateway that fails closed, under load.
type closed struct {
	*world
	seen *witness
}

func newClosed(t *testing.T) *closed {
	w := newWorld(t)
	w.startProxy()
	return &closed{w, w.witness()}
}

func closedSpec() Spec {
	return Spec{TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"lan"}}
}

// none fails the test if a packet of the client has reached the server.
func (c *closed) none(after string) {
	c.t.Helper()
	if n := c.seen.direct.Load(); n != 0 {
		c.t.Errorf("%d went past the proxy after %s", n, after)
	}
}

// handles is the table but for what is no rule: the facts, counts, owners.
func (c *closed) handles() string {
	return c.gateway.sh(`nft -a list table inet sluice | sed '/chain facts/,/}/d' | grep -v -e packets -e '# progname' -e flags`)
}

// escaped is how many packets were kept from leaving.
func (c *closed) escaped() (packets uint64) {
	for _, counter := range c.gateway.status().Counters {
		if counter.Name == countEscaped {
			packets = counter.Packets
		}
	}
	return packets
}

// TestClosedUnderLoad flushes tables and routing, alone and together, and in
// both orders.
func TestClosedUnderLoad(t *testing.T) {
	c := newClosed(t)
	x := c.watch(closedSpec())
	c.proxied("installing")
	before := c.handles()
	stop := c.load()
	defer stop()
	for n := range 20 {
		script := []string{flush, flush, unroute, flush + "\n" + unroute, unroute + "\n" + flush}[n%5]
		c.gateway.sh(script)
		wait(t, "the routing to be there", func() bool {
			return strings.Count(c.gateway.sh("ip rule; ip -6 rule; ip route show table 100; ip -6 route show table 100"), "sluice") == 0 &&
				strings.Count(c.gateway.sh("ip rule; ip -6 rule"), "lookup 100") == 2
		})
		c.none(fmt.Sprintf("disturbance %d", n))
	}
	stop()
	c.proxied("all that")
	if diff := differ(before, c.handles()); diff != "" && x.holder.can == canPersist {
		t.Errorf("the table changed:\n%s", diff)
	}
	x.stop()
	c.expect(c.client, "tcp", serverAddrs, servicePort, "server")
}

// TestTwoTables: where the kernel can own a table but not keep it, there are
// two. A flush takes the one, and a kill the other.
func TestTwoTables(t *testing.T) {
	c := newClosed(t)
	before := c.gateway.state()
	var i *Installed
	c.gateway.do(func() {
		var err error
		if i, err = install(closedSpec(), "pid 1", canOwn); err != nil {
			t.Fatal(err)
		}
	})
	stop := c.load()
	defer stop()
	for n := range 20 {
		c.gateway.sh("nft flush ruleset")
		c.gateway.do(func() {
			var err error
			if n%2 == 0 {
				_, _, err = i.mend(true)
			} else {
				spec := closedSpec()
				spec.Dports = []PortRange{{servicePort, servicePort}, {witnessPort, witnessPort}, {uint16(1000 + n), uint16(1000 + n)}}
				err = i.Replace(spec)
			}
			if err != nil {
				t.Error(err)
			}
		})
		c.none(fmt.Sprintf("flush %d", n))
	}
	c.proxied("flushes")
	i.holder.close() // as the end of the process does
	i.lock.release()
	c.none("the end")
	c.proxied("the end")
	stop()
	c.gateway.do(func() {
		if _, err := Remove(); err != nil {
			t.Error(err)
		}
	})
	if diff := differ(before, c.gateway.state()); diff != "" {
		t.Errorf("left:\n%s", diff)
	}
}

// TestEscapes: without the routing, and nobody who puts it back, what is marked
// does not leave; nor does what the gateway sends itself.
func TestEscapes(t *testing.T) {
	for _, output := range []bool{false, true} {
		t.Run(fmt.Sprintf("output=%v", output), func(t *testing.T) {
			c := newClosed(t)
			spec := closedSpec()
			spec.Output, spec.Exclude = output, prefixes(otherAddrs[0]+"/32", otherAddrs[1]+"/128")
			i := c.install(spec)
			// others mark in forward for reasons of their own
			c.gateway.sh("nft add table inet qos; nft 'add chain inet qos f { type filter hook forward priority -150; }'; nft add rule inet qos f meta mark set 1")
			// With it the kernel ties running connections to their sockets before it
			// routes, and forwards no packet that has one (ip_forward).
			c.gateway.sh("sysctl -qw net.ipv4.ip_early_demux=0")
			var running []net.Conn
			c.client.do(func() {
				for _, addr := range serverAddrs {
					conn, err := net.DialTimeout("tcp", net.JoinHostPort(addr, fmt.Sprint(servicePort)), patience)
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { conn.Close() })
					running = append(running, conn)
				}
			})
			for _, conn := range running {
				if got, err := exchange(conn, patience); got != "proxy" {
					t.Fatalf("%q, %v", got, err)
				}
			}
			c.gateway.sh(unroute)
			for _, conn := range running { // the server would reset it
				if got, err := exchange(conn, silence); !timedOut(err) {
					t.Errorf("a running connection without the routing: %q, %v", got, err)
				}
			}
			if c.escaped() == 0 {
				t.Error("nothing of running connections was kept from leaving")
			}
			for _, network := range []string{"tcp", "udp"} {
				c.expect(c.client, network, serverAddrs, servicePort, "silence")
				c.expect(c.client, network, otherAddrs, servicePort, "server")
				if before := c.escaped(); output {
					c.expect(c.gateway, network, otherAddrs, servicePort, "server")
					for _, addr := range serverAddrs {
						if got := c.ask(c.gateway, network, addr, servicePort); got == "server" {
							t.Errorf("%s of the gateway went past the proxy to %s", network, addr)
						}
					}
					if c.escaped() == before {
						t.Errorf("nothing of the gateway's %s was kept from leaving", network)
					}
				}
			}
			c.gateway.do(func() {
				if err := i.Replace(spec); err != nil {
					t.Error(err)
				}
			})
			c.proxied("replacing")
			for _, conn := range running {
				if got, err := exchange(conn, patience); !strings.HasSuffix(got, "proxy") {
					t.Errorf("a running connection afterwards: %q, %v", got, err)
				}
			}
			c.remove(i)
		})
	}
}

// TestRedirectSurvivesFlush: NAT of running connections ends with the last nat
// chain, which no flush reaches.
func TestRedirectSurvivesFlush(t *testing.T) {
	c := newClosed(t)
	spec := Spec{Via: Redirect, TCPPort: proxyPort, Ifaces: []string{"lan"}}
	i := c.install(spec)
	var conns []net.Conn
	c.client.do(func() {
		for n := range 50 {
			conn, err := net.DialTimeout("tcp", net.JoinHostPort(serverAddrs[n%2], fmt.Sprint(servicePort)), patience)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.Close() })
			conns = append(conns, conn)
		}
	})
	for n := range 5 {
		c.gateway.sh(flush)
		if n == 3 {
			spec.Dports = []PortRange{{1, 65535}}
			c.gateway.do(func() {
				if err := i.Replace(spec); err != nil {
					t.Error(err)
				}
			})
		}
		for _, conn := range conns {
			if got, err := exchange(conn, patience); got != "proxy" {
				t.Fatalf("flush %d: %q, %v", n, got, err)
			}
		}
	}
	c.remove(i)
}

// TestFailedStartStaysClosed: a start that fails over the rules of a dead
// sluice leaves the gateway closed, and one over nothing leaves nothing.
func TestFailedStartStaysClosed(t *testing.T) {
	c := newClosed(t)
	before := c.gateway.state()
	dead := c.install(closedSpec())
	c.gateway.do(func() {
		if err := dead.Leave(); err != nil {
			t.Fatal(err)
		}
	})
	c.stopProxy()
	stop := c.load()
	defer stop()
	c.gateway.do(func() {
		if _, err := Install(Spec{TCPPort: proxyPort, Table: 254}); err == nil {
			t.Error("a bad spec: no error")
		}
		plan, err := NewPlan(Spec{TCPPort: 7, UDPPort: 7, Sysctl: true})
		if err != nil {
			t.Fatal(err)
		}
		plan.sysctls = append(plan.sysctls, Sysctl{Name: "net/ipv4/ip_default_ttl", Want: "no"})
		holder, err := newHolder(canPersist)
		if err != nil {
			t.Fatal(err)
		}
		defer holder.close()
		found, err := readTable(newConn())
		if err != nil {
			t.Fatal(err)
		}
		i := &Installed{owner: "pid 1", holder: holder}
		if err := i.put(plan, found); err == nil {
			t.Error("a sysctl that cannot be: no error")
		}
	})
	stop()
	c.none("a failed start")
	c.gateway.do(func() {
		if _, err := Remove(); err != nil {
			t.Error(err)
		}
	})
	if diff := differ(before, c.gateway.state()); diff != "" {
		t.Errorf("left:\n%s", diff)
	}
}

// TestOwnershipFollowsThePlan: what must end with the process, what must stay,
// one after the other, with the same rules or others.
func TestOwnershipFollowsThePlan(t *testing.T) {
	for _, can := range []ability{canPersist, canOwn} {
		t.Run(fmt.Sprint(can), func(t *testing.T) {
			n := newNetns(t)
			before := n.state()
			n.do(func() {
				i, err := install(Spec{TCPPort: 1, Via: Redirect}, "pid 1", can)
				if err != nil {
					t.Fatal(err)
				}
				for _, spec := range []Spec{
					{TCPPort: 1, Via: Redirect, Fail: Open}, {TCPPort: 1, Via: Redirect}, {TCPPort: 1},
					{TCPPort: 1, Output: true, Fail: Open}, {TCPPort: 1, Fail: Open}, {TCPPort: 1},
				} {
					if err := i.Replace(spec); err != nil {
						t.Errorf("%+v: %v", spec, err)
					}
					flags, _, _, err := readFlags(TableName)
					if want := i.holder.flags(i.plan, i.owner); err != nil || flags != want {
						t.Errorf("%+v: flags %#x, %v, want %#x", spec, flags, err, want)
					}
					if _, portID, _, _ := readFlags(StepTable); (portID != 0) != i.holder.twice(i.plan, i.owner) {
						t.Errorf("%+v: the stand-in is owned by %d", spec, portID)
					}
				}
				if err := i.Close(); err != nil {
					t.Error(err)
				}
			})
			if diff := differ(before, n.state()); diff != "" {
				t.Errorf("left:\n%s", diff)
			}
		})
	}
}
