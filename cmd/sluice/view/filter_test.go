package view

import (
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sluice/cmd/sluice/api"
	"sluice/redir/record"
)

func TestFilterMatches(t *testing.T) {
	const now = int64(100 * time.Second)
	r := record.Record{
		ID: record.ConnID(0, 1, 1), State: record.Bulk, Inbound: "lan", Out: "direct", Client: netip.MustParseAddrPort("10.1.2.3:5000"),
		Dest: netip.MustParseAddrPort("[fe80::1%eth0]:443"), Name: "WWW.example.org", Start: now - int64(60*time.Second), Active: now - int64(5*time.Second),
	}
	const rate = 1000.0
	for _, c := range []struct {
		name    string
		yes, no api.Query
	}{
		{name: "client", yes: api.Query{Client: []string{"192.0.2.1", "10.1.2.3"}}, no: api.Query{Client: []string{"10.1.2.4"}}},
		{name: "client's network", yes: api.Query{Client: []string{"10.1.0.0/16"}}, no: api.Query{Client: []string{"10.2.0.0/16"}}},
		{name: "client mapped", yes: api.Query{Client: []string{"::ffff:10.1.2.3"}}, no: api.Query{Client: []string{"::ffff:10.1.2.4"}}},
		{name: "network mapped", yes: api.Query{Client: []string{"::ffff:10.1.0.0/112"}}, no: api.Query{Client: []string{"::/0"}}},
		{name: "client with port", yes: api.Query{Client: []string{"10.1.2.3:5000"}}, no: api.Query{Client: []string{"10.1.2.3:5001"}}},
		{name: "destination", yes: api.Query{Destination: []string{"fe80::1"}}, no: api.Query{Destination: []string{"fe80::1%eth1"}}},
		{name: "destination with zone", yes: api.Query{Destination: []string{"[fe80::1%eth0]:443"}}, no: api.Query{Destination: []string{"10.1.2.3"}}},
		{name: "name", yes: api.Query{Destination: []string{"www.Example.org."}}, no: api.Query{Destination: []string{"example.org"}}},
		{name: "names below", yes: api.Query{Destination: []string{".example.org"}}, no: api.Query{Destination: []string{".www.example.org"}}},
		{name: "port", yes: api.Query{Port: []uint16{80, 443}}, no: api.Query{Port: []uint16{5000}}},
		{name: "network", yes: api.Query{Network: "tcp"}, no: api.Query{Network: "udp"}},
		{name: "inbound", yes: api.Query{Inbound: []string{"lan"}}, no: api.Query{Inbound: []string{"wan"}}},
		{name: "outbound", yes: api.Query{Outbound: []string{"direct"}}, no: api.Query{Outbound: []string{"vpn"}}},
		{name: "state", yes: api.Query{State: []string{"dialing", "bulk"}}, no: api.Query{State: []string{"relaying"}}},
		{name: "older", yes: api.Query{Older: 59 * time.Second}, no: api.Query{Older: 60 * time.Second}},
		{name: "younger", yes: api.Query{Younger: 61 * time.Second}, no: api.Query{Younger: 60 * time.Second}},
		{name: "idle", yes: api.Query{Idle: 5 * time.Second}, no: api.Query{Idle: 6 * time.Second}},
		{name: "rate", yes: api.Query{Rate: 1000}, no: api.Query{Rate: 1001}},
		{name: "held", yes: api.Query{Sort: "rate"}, no: api.Query{Held: true}},
		{name: "two at once", yes: api.Query{Network: "tcp", Port: []uint16{443}}, no: api.Query{Network: "tcp", Port: []uint16{80}}},
		{name: "nothing", yes: api.Query{Client: []string{}, Port: []uint16{}, Inbound: []string{}, Outbound: []string{}, State: []string{}}, no: api.Query{Held: true}},
	} {
		for _, q := range []struct {
			query api.Query
			want  bool
		}{{c.yes, true}, {c.no, false}} {
			f, err := NewFilter(q.query)
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			} else if got := f.Matches(&r, now, rate); got != q.want {
				t.Errorf("%s: %+v: %v", c.name, q.query, got)
			}
		}
	}
	if f, _ := NewFilter(api.Query{Rate: 1}); f.Matches(&r, now, -1) {
		t.Error("a rate that is not known is enough")
	}
	r.Dialed = netip.MustParseAddrPort("198.51.100.7:8443")
	for _, q := range []api.Query{{Destination: []string{"198.51.100.7:8443"}}, {Port: []uint16{8443}}, {Destination: []string{"fe80::1"}}} {
		if f, _ := NewFilter(q); !f.Matches(&r, now, rate) {
			t.Errorf("%+v: where it is dialed, or asked for, is no destination", q)
		}
	}
	r.Name = ""
	if f, _ := NewFilter(api.Query{Destination: []string{"example.org"}}); f.Matches(&r, now, rate) {
		t.Error("no name is one")
	}
}

func TestFilterRefuses(t *testing.T) {
	for parameter, q := range map[string]api.Query{
		"client":      {Client: []string{"example.org"}},
		"destination": {Destination: []string{"192.0.2.256"}},
		"network":     {Network: "icmp"},
		"state":       {State: []string{"Bulk"}},
		"older":       {Older: -1},
		"rate":        {Rate: math.NaN()},
		"sort":        {Sort: "size"},
		"after":       {Sort: "rate", After: "t0.0.0"},
	} {
		if _, err := NewFilter(q); err == nil || !strings.HasPrefix(err.Error(), parameter) {
			t.Errorf("%s: %v", parameter, err)
		}
	}
	for _, text := range []string{"", ".", "10.0.0.0/33", "10.0.0.1:0", "10.0.0.1:x", "a b", "1.2", "fe80::1%", "http://a", "a\n"} {
		if _, err := NewFilter(api.Query{Destination: []string{text}}); err == nil {
			t.Errorf("destination %q is taken", text)
		}
	}
}

func FuzzFilter(f *testing.F) {
	f.Add("10.0.0.0/8", "example.org", "rate", "1e3~t0.1f.2a9")
	f.Add("[fe80::1%a]:1", ".a.", "-client", "10.0.0.1:2~u0.1")
	r := record.Record{Client: netip.MustParseAddrPort("10.1.2.3:5000"), Dest: netip.MustParseAddrPort("192.0.2.1:443"), Name: "a.b"}
	f.Fuzz(func(t *testing.T, client, dest, sort, after string) {
		filter, err := NewFilter(api.Query{Client: []string{client}, Destination: []string{dest}, Sort: sort, After: after})
		if err != nil {
			return
		}
		filter.Matches(&r, 0, -1)
		if after != "" {
			again, err := filter.order.parseCursor(filter.order.text(&filter.after))
			if err != nil || again != filter.after {
				t.Errorf("%q is written as %q: %v", after, filter.order.text(&filter.after), err)
			}
		}
	})
}
