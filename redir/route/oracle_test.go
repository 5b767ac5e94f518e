package route

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"sluice/redir/ruleset"
)

// The oracle judges a flow whose name is known as sing-box's documents tell it, and
// without the forms in which a Table keeps conditions: state says which groups were
// met by the rule that names a rule set, before the rules of the set are asked.
type oracle struct {
	sets map[string][]Conditions
}

// state are the groups that are met already.
type state struct{ dest, port, source, sourcePort bool }

func (o *oracle) meets(c *Conditions, f *Flow, s state) bool {
	if c.Mode != NotLogical {
		met := c.Mode == And
		for i := range c.Rules {
			if o.meets(&c.Rules[i], f, state{}) != met {
				return met == c.Invert
			}
		}
		return met != c.Invert
	}
	return o.plain(c, f, s) != c.Invert
}

func (o *oracle) plain(c *Conditions, f *Flow, s state) bool {
	if len(c.Domains)+len(c.Suffixes)+len(c.Keywords)+len(c.Prefixes) > 0 || c.Private {
		s.dest = s.dest || nameMeets(c, f.Name) || addrMeets(c.Prefixes, c.Private, f.Dest.Addr())
	} else if len(c.Sets) == 0 {
		s.dest = true
	}
	if len(c.Ports) > 0 {
		s.port = s.port || portMeets(c.Ports, f.Dest.Port())
	} else if len(c.Sets) == 0 {
		s.port = true
	}
	if len(c.Sources) > 0 || c.SourcePrivate {
		s.source = s.source || addrMeets(c.Sources, c.SourcePrivate, f.Client.Addr())
	} else if len(c.Sets) == 0 {
		s.source = true
	}
	if len(c.SourcePorts) > 0 {
		s.sourcePort = s.sourcePort || portMeets(c.SourcePorts, f.Client.Port())
	} else if len(c.Sets) == 0 {
		s.sourcePort = true
	}
	if c.Networks != 0 && c.Networks&f.Network == 0 || c.Inbounds != nil && !slices.Contains(c.Inbounds, f.Inbound) {
		return false
	}
	if len(c.Sets) == 0 {
		return s == state{true, true, true, true}
	}
	for _, tag := range c.Sets {
		for i := range o.sets[tag] {
			if o.inSet(c, &o.sets[tag][i], f, s) {
				return true
			}
		}
	}
	return false
}

// inSet asks a rule of a set, with what is met outside. A group that neither asks
// about is met.
func (o *oracle) inSet(outer, inner *Conditions, f *Flow, s state) bool {
	if inner.Mode != NotLogical || inner.Invert {
		alone := *outer
		alone.Sets, alone.Invert = nil, false
		return o.meets(inner, f, state{}) && o.plain(&alone, f, state{})
	}
	merged := *inner
	asks := func(c *Conditions) [4]bool {
		return [4]bool{
			len(c.Domains)+len(c.Suffixes)+len(c.Keywords)+len(c.Prefixes) > 0 || c.Private, len(c.Ports) > 0,
			len(c.Sources) > 0 || c.SourcePrivate, len(c.SourcePorts) > 0,
		}
	}
	out, in := asks(outer), asks(inner)
	for i, unmet := range []*bool{&s.dest, &s.port, &s.source, &s.sourcePort} {
		if out[i] && !in[i] && !*unmet {
			return false
		}
	}
	return o.plain(&merged, f, s)
}

func nameMeets(c *Conditions, name string) bool {
	if name == "" {
		return false
	}
	below := func(s string) bool {
		if strings.HasPrefix(s, ".") {
			return strings.HasSuffix(name, s)
		}
		return name == s || strings.HasSuffix(name, "."+s)
	}
	return slices.Contains(c.Domains, name) || slices.ContainsFunc(c.Suffixes, below) ||
		slices.ContainsFunc(c.Keywords, func(k string) bool { return strings.Contains(name, k) })
}

func addrMeets(prefixes []netip.Prefix, private bool, addr netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(addr) }) ||
		private && (addr.IsPrivate() || addr.IsLoopback() || addr.IsLinkLocalUnicast() || addr.IsMulticast())
}

func portMeets(ranges []ruleset.PortRange, port uint16) bool {
	return slices.ContainsFunc(ranges, func(r ruleset.PortRange) bool { return r.Low <= port && port <= r.High })
}

// effect is what becomes of a flow: the outbound of the first rule that it meets.
func (o *oracle) effect(s *Spec, f *Flow) effect {
	for i := range s.Rules {
		if r := &s.Rules[i]; o.meets(&r.Conditions, f, state{}) {
			return effect{r.Outbound, r.Port}
		}
	}
	return effect{s.Final, 0}
}

// The universe that specs are made of, and flows: small, so that they meet.
var (
	someNames    = []string{"a.test", "b.a.test", "kw.test", "c.kw.test", "other"}
	somePrefixes = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/25"), netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("10.0.0.0/8")}
	someAddrs    = []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.200"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("fd00::1"), netip.MustParseAddr("203.0.113.1")}
	somePorts    = []ruleset.PortRange{{Low: 443, High: 443}, {Low: 80, High: 443}, {Low: 0, High: 79}, {Low: 53, High: 53}}
	someInbounds = []string{"one", "two"}
)

func pick[T any](r *rand.Rand, all []T, odds float64) (some []T) {
	for _, t := range all {
		if r.Float64() < odds {
			some = append(some, t)
		}
	}
	return some
}

// randomConditions are such as stand in a rule, or headless ones.
func randomConditions(r *rand.Rand, depth int, headless bool) Conditions {
	if depth > 0 && r.IntN(5) == 0 {
		c := Conditions{Mode: And + Mode(r.IntN(2)), Invert: r.IntN(3) == 0}
		for range 1 + r.IntN(3) {
			c.Rules = append(c.Rules, randomConditions(r, depth-1, headless))
		}
		return c
	}
	odds := 0.15
	c := Conditions{
		Domains: pick(r, someNames, odds), Suffixes: pick(r, []string{"a.test", ".a.test", "test", ".test"}, odds), Keywords: pick(r, []string{"kw", "."}, odds),
		Prefixes: pick(r, somePrefixes, odds), Ports: pick(r, somePorts, odds),
		Sources: pick(r, somePrefixes, odds), SourcePorts: pick(r, somePorts, odds),
		Networks: Network(r.IntN(4)), Invert: r.IntN(6) == 0,
	}
	if r.IntN(2) == 0 {
		c.Networks = 0
	}
	if !headless {
		c.Private, c.SourcePrivate = r.IntN(6) == 0, r.IntN(6) == 0
		c.Inbounds = pick(r, someInbounds, odds)
		c.Sets = pick(r, []string{"first", "second"}, odds)
	}
	return c
}

// headless is conditions as a rule of a file has them.
func (c *Conditions) headless(t testing.TB) ruleset.Rule {
	if c.Mode != NotLogical {
		r := ruleset.Rule{Mode: map[Mode]ruleset.Mode{And: ruleset.And, Or: ruleset.Or}[c.Mode], Invert: c.Invert}
		for i := range c.Rules {
			r.Rules = append(r.Rules, c.Rules[i].headless(t))
		}
		return r
	}
	m, err := c.compile("", nil)
	if err != nil {
		t.Fatal(err)
	}
	r := ruleset.Rule{Invert: c.Invert}
	r.Dests, r.Names, r.DestPorts, r.Sources, r.SourcePorts = m.prefixes, m.names, m.ports, m.sources, m.sourcePorts
	r.Networks = ruleset.Networks(m.networks)
	return r
}

// setsOf are rule sets as if they were read.
func setsOf(t testing.TB, all map[string][]Conditions) *Sets {
	s := &Sets{byTag: map[string]*ruleSet{}}
	for tag, rules := range all {
		set := &ruleSet{}
		for i := range rules {
			rule := rules[i].headless(t)
			set.rules = append(set.rules, matcherOf(&rule))
		}
		s.byTag[tag] = set
	}
	return s
}

func randomSpec(r *rand.Rand) (Spec, map[string][]Conditions) {
	s := Spec{Final: "a"}
	for range 1 + r.IntN(4) {
		s.Rules = append(s.Rules, Rule{Conditions: randomConditions(r, 2, false), Outbound: []string{"a", "b", "c"}[r.IntN(3)]})
	}
	sets := map[string][]Conditions{}
	for _, tag := range []string{"first", "second"} {
		for range 1 + r.IntN(3) {
			sets[tag] = append(sets[tag], randomConditions(r, 1, true))
		}
	}
	return s, sets
}

func randomFlow(r *rand.Rand) Flow {
	addr := func() netip.Addr { return someAddrs[r.IntN(len(someAddrs))] }
	port := func() uint16 { return []uint16{443, 80, 53, 8080}[r.IntN(4)] }
	return Flow{
		Inbound: someInbounds[r.IntN(2)], Network: TCP + Network(r.IntN(2)),
		Client: netip.AddrPortFrom(addr(), port()), Dest: netip.AddrPortFrom(addr(), port()),
	}
}

var someKnown = Known{Outbounds: []string{"a", "b", "c"}, Inbounds: []Inbound{{"one", TCP | UDP}, {"two", TCP | UDP}}}

// TestDecideIsTheOracle asks for each name, and without one. What is decided without
// a name holds whatever that will be; a rule that is called unreachable is met by
// nothing.
func TestDecideIsTheOracle(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 1))
	needed, differed := 0, 0
	for range 1500 {
		spec, all := randomSpec(r)
		o := &oracle{all}
		table, err := New(spec, setsOf(t, all), someKnown)
		if err != nil {
			t.Fatal(err)
		}
		dead := table.Unreachable()
		for range 20 {
			f := randomFlow(r)
			before := table.Decide(&f)
			effects := map[effect]bool{}
			for _, name := range append([]string{""}, someNames...) {
				f.Name, f.Named = name, true
				v := table.Decide(&f)
				want := o.effect(&spec, &f)
				effects[want] = true
				if got := spec.effect(v.Rule); got != want || v.NeedsName {
					t.Fatalf("%+v\nsets %+v\n%+v: %+v %v, want %v", spec, all, f, v, got, want)
				}
				if !before.NeedsName && spec.effect(before.Rule) != want {
					t.Fatalf("%+v\nsets %+v\n%+v: %v before the name is known, then %v", spec, all, f, spec.effect(before.Rule), want)
				}
				if e := table.Explain(&f); e.Verdict != v {
					t.Fatalf("%+v\n%+v: explained as %+v, decided %+v", spec, f, e, v)
				}
				for _, d := range dead {
					if o.first(&spec, &f) == d.Rule {
						t.Fatalf("%+v\nsets %+v\n%s, and yet %+v does", spec, all, d, f)
					}
				}
			}
			if before.NeedsName {
				needed++
				if len(effects) > 1 {
					differed++
				}
				if !table.NeedsNames(f.Network) {
					t.Fatalf("%+v: no name is needed of %v, and yet one is", spec, f.Network)
				}
			}
		}
	}
	if needed == 0 || float64(differed) < 0.6*float64(needed) { // conditions on one name may be contrary
		t.Errorf("a name was needed %d times, and made a difference %d times", needed, differed)
	}
}

// first is the first rule that a flow meets, or Final.
func (o *oracle) first(s *Spec, f *Flow) int {
	return slices.IndexFunc(s.Rules, func(r Rule) bool { return o.meets(&r.Conditions, f, state{}) })
}

func (s *Spec) effect(rule int) effect {
	if rule == Final {
		return effect{s.Final, 0}
	}
	return effect{s.Rules[rule].Outbound, s.Rules[rule].Port}
}
