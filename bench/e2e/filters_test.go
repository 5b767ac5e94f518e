//go:build linux

package e2e

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

// manyFlows are as many connections, and as many sessions.
const manyFlows = 1000

// TestFiltersOfMany compares what each filter finds among thousands of flows with a
// selection by hand from all of them, and pages with the whole, in each order.
func TestFiltersOfMany(t *testing.T) {
	t.Parallel()
	s, w := controlled(t, setup{plain: true})
	g := startRoutes(t, s, object{"udp_timeout": "5m",
		"outbounds": []object{{"type": "direct", "tag": "direct"}, {"type": "direct", "tag": "other, \"way\"", "mark": 0x22}},
		"route":     object{"rules": []object{{"port": []int{20001, 21001}, "outbound": "other, \"way\""}}}})
	g.openMany(t)
	all := w.flows(t, nil)
	if len(all) != 2*manyFlows {
		t.Fatalf("%d flows, want %d", len(all), 2*manyFlows)
	}
	for query, means := range filtersOfMany(all) {
		var want []string
		for _, f := range all {
			if means(&f) {
				want = append(want, f.ID)
			}
		}
		if len(want) == 0 && !strings.Contains(query, "older=1h") || len(want) == len(all) {
			t.Errorf("%s: finds %d of %d: nothing to be told apart", query, len(want), len(all))
		}
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		values.Set("limit", "901")
		got := idsOf(w.flows(t, values))
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d flows, want %d", query, len(got), len(want))
		}
	}
	assertOrders(t, w)
	if n := w.end(t, url.Values{"all": {"true"}}); n != len(all) {
		t.Errorf("%d flows were ended, of %d", n, len(all))
	}
}

func idsOf(flows []flowRecord) (ids []string) {
	for _, f := range flows {
		ids = append(ids, f.ID)
	}
	return ids
}

// openMany opens connections and sessions of many clients to several ports, each of
// which has moved something, some more than others.
func (r routed) openMany(t *testing.T) {
	for _, w := range ways() {
		for port := range 3 {
			echoTCP(t, r.Server, w.dest(port))
			if w.tproxy {
				startEcho(t, r.Server, w.dest(port))
			}
		}
	}
	var conns [manyFlows]*net.TCPConn
	var sockets [manyFlows]*net.UDPConn
	errs := make([]error, dialers)
	var all sync.WaitGroup
	for d := range dialers {
		all.Go(func() {
			errs[d] = r.Client.Do(func() (err error) {
				for i := d; i < manyFlows && err == nil; i += dialers {
					conns[i], err = connect(netip.AddrPortFrom(clientOf(ways()[i%4], i), 0), ways()[i%4].dest(i/4%3))
					if err == nil {
						err = exchange(conns[i], strings.Repeat("x", 1+i%50))
					}
				}
				return err
			})
		})
	}
	for i := range sockets {
		w := udpWays()[i%2]
		sockets[i] = listenUDP(t, r.Client, netip.AddrPortFrom(clientOf(w, i), 0))
		ask(t, sockets[i], w.dest(i/2%3), payload(1+i%50))
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, c := range conns {
			c.Close()
		}
	})
}

// clientOf is one of some hundred clients.
func clientOf(w way, i int) netip.Addr {
	return w.pick(fmt.Sprintf("10.78.%d.%d", i%7, i%100+1), fmt.Sprintf("fd78::%x:%x", i%7, i%100+1))
}

// filtersOfMany are queries, and what each means.
func filtersOfMany(all []flowRecord) map[string]func(*flowRecord) bool {
	client := func(f *flowRecord) netip.AddrPort { return netip.MustParseAddrPort(f.Client) }
	dest := func(f *flowRecord) netip.AddrPort { return netip.MustParseAddrPort(f.Destination) }
	in := func(a netip.AddrPort, prefix string) bool { return netip.MustParsePrefix(prefix).Contains(a.Addr()) }
	one := all[len(all)/2]
	return map[string]func(*flowRecord) bool{
		"network=udp":                 func(f *flowRecord) bool { return f.Network == "udp" },
		"client=10.78.3.0/24":         func(f *flowRecord) bool { return in(client(f), "10.78.3.0/24") },
		"client=::ffff:10.78.3.0/120": func(f *flowRecord) bool { return in(client(f), "10.78.3.0/24") },
		"client=10.78.1.2,fd78::2:0/112&client=10.78.0.1": func(f *flowRecord) bool {
			return in(client(f), "10.78.1.2/32") || in(client(f), "10.78.0.1/32") || in(client(f), "fd78::2:0/112")
		},
		"client=" + url.QueryEscape(one.Client): func(f *flowRecord) bool { return f.Client == one.Client },
		"destination=[fd77:2::2]:21001":         func(f *flowRecord) bool { return f.Destination == "[fd77:2::2]:21001" },
		"destination=10.77.2.0/24&port=20000,21002": func(f *flowRecord) bool {
			return in(dest(f), "10.77.2.0/24") && (dest(f).Port() == 20000 || dest(f).Port() == 21002)
		},
		"inbound=redirect-in":                         func(f *flowRecord) bool { return f.Inbound == "redirect-in" },
		"outbound=" + url.QueryEscape(`other, "way"`): func(f *flowRecord) bool { return f.Outbound == `other, "way"` },

		"older=1h": func(f *flowRecord) bool { return false },
		"network=tcp&port=21001&client=fd78::/64&sort=client": func(f *flowRecord) bool {
			return f.Network == "tcp" && dest(f).Port() == 21001 && in(client(f), "fd78::/64")
		},
	}
}

// assertOrders asserts that pages of each order add up, hold no flow twice, and are
// in that order.
func assertOrders(t *testing.T, w *window) {
	t.Helper()
	idle := func(f *flowRecord) int64 { return -f.Active.UnixNano() }
	orders := map[string]func(a, b *flowRecord) int{
		"":      func(a, b *flowRecord) int { return 0 },
		"bytes": func(a, b *flowRecord) int { return cmp.Compare(b.BytesUp+b.BytesDown, a.BytesUp+a.BytesDown) },
		"age":   func(a, b *flowRecord) int { return a.Started.Compare(b.Started) },
		"idle":  func(a, b *flowRecord) int { return cmp.Compare(idle(b), idle(a)) },
		"client": func(a, b *flowRecord) int {
			return netip.MustParseAddrPort(a.Client).Compare(netip.MustParseAddrPort(b.Client))
		},
		"destination": func(a, b *flowRecord) int {
			return netip.MustParseAddrPort(a.Destination).Compare(netip.MustParseAddrPort(b.Destination))
		},
	}
	for name, order := range orders {
		for _, sign := range []string{"", "-"} {
			if (name == "" || name == "idle" || name == "age") && sign != "" {
				continue
			}
			all := w.flows(t, url.Values{"sort": {sign + name}, "limit": {"701"}})
			distinct := map[string]bool{}
			for i := range all {
				distinct[all[i].ID] = true
				if c := 0; i > 0 {
					if c = order(&all[i-1], &all[i]); sign == "-" {
						c = -c
					}
					if c > 0 {
						t.Fatalf("%s%s: %s before %s", sign, name, all[i-1].facts(), all[i].facts())
					}
				}
			}
			if len(all) != 2*manyFlows || len(distinct) != len(all) {
				t.Errorf("%s%s: %d flows, %d of them distinct, want %d", sign, name, len(all), len(distinct), 2*manyFlows)
			}
		}
	}
}
