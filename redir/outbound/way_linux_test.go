package outbound

import (
	"net/netip"
	"testing"

	"sluice/redir/inbound"
	"sluice/redir/proxyproto"
	"sluice/redir/route"
	"sluice/redir/source"
	"sluice/redir/upstream"
)

func TestWays(t *testing.T) {
	in := &inbound.Inbound{Spec: inbound.Spec{Tag: "in"}, Path: upstream.Path{
		Source: source.Source{Kind: source.Client}, Mark: 2, Device: "wan0", SendProxy: proxyproto.SendV2, Congestion: "bbr"}}
	other := &inbound.Inbound{Spec: inbound.Spec{Tag: "other"}}
	own := source.Source{Kind: source.Address, IPv4: netip.MustParseAddr("203.0.113.5")}
	set := opened(t, nil, proxy("s", fallback("d"), func(s *Spec) { s.Mark = 6 }), proxy("own", func(s *Spec) { s.Source, s.Device = own, "wan1" }),
		Spec{Kind: Direct, Tag: "d", Source: own}, Spec{Kind: Block, Tag: "b"})
	r := NewRouter([]*inbound.Inbound{in, other}, set, &route.Spec{Final: "d", Rules: []route.Rule{{Outbound: "s", Port: 80}, {Outbound: "own"}, {Port: 53}, {Outbound: "b"}}}, nil)
	toServer := in.Path
	toServer.Source, toServer.SendProxy, toServer.Mark = source.Source{Kind: source.Gateway}, proxyproto.SendNone, 6
	ofOwn := toServer
	ofOwn.Source, ofOwn.Mark, ofOwn.Device = own, 2, "wan1"
	directly := in.Path
	directly.Source = own
	for rule, want := range map[int]Way{
		0: {Out: set.Tagged("s"), Port: 80, Path: toServer}, 1: {Out: set.Tagged("own"), Path: ofOwn},
		2: {Out: set.Tagged("d"), Port: 53, Path: directly}, 3: {Out: set.Tagged("b"), Path: in.Path}, route.Final: {Out: set.Tagged("d"), Path: directly},
	} {
		got := r.Way(in, rule)
		if got.In != in || got.Out != want.Out || got.Rule != rule || got.Port != want.Port || got.Path != want.Path {
			t.Errorf("rule %d: %+v", rule, got)
		}
		if r.Way(other, rule).In != other {
			t.Errorf("rule %d: a way of another inbound", rule)
		}
	}
	way := r.Way(in, 0)
	if way.Usable(1) != way {
		t.Error("a server that is up is not taken")
	}
	fail(way.Out)
	if to := way.Usable(1); to != way.Fallback || to.Out.Tag != "d" || to.Port != 80 || to.Path != directly {
		t.Errorf("the fallback is %+v", to)
	}
	own2 := r.Way(in, 1)
	if fail(own2.Out); own2.Usable(1) != nil {
		t.Error("without a fallback, there is a way")
	}
	closed := &inbound.Inbound{Path: in.Path}
	if got := r.Way(closed, 3); got.Out.Kind != Direct || got.Path != in.Path {
		t.Errorf("an inbound that was closed: %+v", got)
	}
	if got := (*Router)(nil).Way(in, route.Final); got.Out.Kind != Direct || got.Path != in.Path {
		t.Errorf("without a router: %+v", got)
	}
}

func TestWaysOfGroups(t *testing.T) {
	in := &inbound.Inbound{}
	outer := group("outer", "g", "c")
	outer.Fallback = "d"
	set := opened(t, nil, outer, group("g", "a", "b"), proxy("a"), proxy("b"), proxy("c"), Spec{Kind: Direct, Tag: "d"})
	way := NewRouter([]*inbound.Inbound{in}, set, &route.Spec{}, nil).Way(in, route.Final)
	takes := func(want string) {
		t.Helper()
		if got := way.Now().Out.Tag; got != want {
			t.Errorf("takes %s, want %s", got, want)
		}
	}
	if now := way.Now(); now.Fallback.Out.Tag != "b" || now.Fallback.Fallback != nil {
		t.Errorf("the first falls back to %+v", now.Fallback)
	}
	takes("a")
	fail(set.Tagged("a"))
	takes("b")
	fail(set.Tagged("b"))
	takes("c")
	fail(set.Tagged("c"))
	takes("d")
	if down := set.Down(); len(down) != 5 {
		t.Errorf("down are %v", down)
	}
	set.Tagged("b").Reached(2)
	takes("b")
}

func BenchmarkWay(b *testing.B) {
	in := &inbound.Inbound{}
	r := NewRouter([]*inbound.Inbound{in}, nil, nil, nil)
	var f route.Flow
	for b.Loop() {
		if way, _ := r.Decide(in, &f); way == nil {
			b.Fatal()
		}
	}
}
