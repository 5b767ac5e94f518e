package tcp

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"sluice/loop"
	"sluice/redir/count"
	"sluice/redir/inbound"
	"sluice/redir/outbound"
	"sluice/redir/proxyproto"
	"sluice/redir/route"
)

// heed has w ask rules about what comes by in: names under blocked.example are
// refused, moved.example is dialled at port 10.
func (w *Worker) heed(t *testing.T, in *inbound.Inbound) {
	t.Helper()
	blocked, moved := route.Rule{Outbound: "block"}, route.Rule{Outbound: "direct", Port: 10}
	blocked.Suffixes, moved.Domains = []string{"blocked.example"}, []string{"moved.example"}
	spec := route.Spec{Rules: []route.Rule{blocked, moved}}
	table, err := route.New(spec, nil, route.Known{Outbounds: []string{"direct", "block"}})
	if err != nil {
		t.Fatal(err)
	}
	outs, err := outbound.Open([]outbound.Spec{{Tag: "direct"}, {Kind: outbound.Block, Tag: "block"}}, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.set.Router = outbound.NewRouter([]*inbound.Inbound{in}, outs, &spec, table)
}

// TestNameChoosesTheWay has rules decide by what TLS and HTTP clients ask for, also
// of those that come by a front.
func TestNameChoosesTheWay(t *testing.T) {
	w := testWorker(t)
	w.set.SniffTimeout = 300e6
	counters := counted{Counters: w.counters}
	header := proxyproto.AppendV2(nil, proxyproto.TCP, netip.AddrPortFrom(someone, 1), netip.MustParseAddrPort("192.0.2.9:80"))
	for name, want := range map[string]uint16{"www.example.com": 9, "moved.example": 10, "a.blocked.example": 0} {
		for how, b := range map[string][]byte{
			"TLS":           helloFor(t, name),
			"HTTP":          []byte("GET / HTTP/1.1\r\nHost: " + name + "\r\n\r\n"),
			"HTTP, a front": append(bytes.Clone(header), "GET / HTTP/1.1\r\nHost: "+name+"\r\n\r\n"...),
		} {
			c, client := sniffingConn(t, w, netip.MustParseAddrPort("127.0.0.1:9"))
			in := c.way.In
			w.heed(t, in)
			if strings.HasSuffix(how, "front") {
				c.of.Disconnect(true)
				c.of = w.shared.clients.Hold(someone)
				c.await()
				arrive(t, c, client, b, len(b))
				c.awaitEdge(loop.Readable)
			} else {
				way, next := w.decide(in, c.from(), c.dest.AddrPort())
				if next != sniffing {
					t.Fatalf("no name is wanted: %v", next)
				}
				c.way = way
				c.sniff()
				arrive(t, c, client, b, len(b))
				c.sniffEdge(loop.Readable)
			}
			if blocked := counters.took(count.RefusedBlocked); blocked > 0 != (want == 0) || (c.state == closed) != (want == 0) {
				t.Errorf("%s, %s: state %d", name, how, c.state)
			}
			if got := c.dest.AddrPort(); want > 0 && got.Port() != want {
				t.Errorf("%s, %s: dialled at %v", name, how, got)
			}
			c.abort(0)
		}
	}
	if n := w.shared.clients.Len(); n != 0 || w.shared.Conns() != 0 {
		t.Errorf("%d clients are remembered, %d conns", n, w.shared.Conns())
	}
}

// TestSniffingGoesOnAfterAReload asserts that the rules of a reload hold for a conn
// whose inbound is another since.
func TestSniffingGoesOnAfterAReload(t *testing.T) {
	w := testWorker(t)
	w.set.SniffTimeout = 300e6
	c, client := sniffingConn(t, w, netip.MustParseAddrPort("127.0.0.1:9"))
	from := c.way.In
	to := inbound.New(inbound.Spec{Kind: inbound.Direct, Tag: "new"}, 1, inbound.Defaults{})
	to.Dests = from.Dests
	c.sniff()
	w.heed(t, to)
	w.Relabel(from, to)
	b := "GET / HTTP/1.1\r\nHost: a.blocked.example\r\n\r\n"
	arrive(t, c, client, []byte(b), len(b))
	c.sniffEdge(loop.Readable)
	if c.state != closed || c.way.In != to {
		t.Errorf("state %d, by %q", c.state, c.way.In.Tag)
	}
	c.abort(0)
}
