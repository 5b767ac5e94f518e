package route

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"sluice/redir/domain"
	"sluice/redir/prefix"
	"sluice/redir/ruleset"
)

// many is how many networks of each family, and names, a table of benchmarks has.
const many = 1_000_000

func randomIPv4(r *rand.Rand) netip.Addr {
	return netip.AddrFrom4([4]byte{1 + byte(r.IntN(223)), byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32())})
}

func randomIPv6(r *rand.Rand) netip.Addr {
	a := [16]byte{0x20 + byte(r.IntN(13)), byte(r.Uint32())}
	for i := 2; i < len(a); i++ {
		a[i] = byte(r.Uint32())
	}
	return netip.AddrFrom16(a)
}

// manyRules are rules as they are written: own networks are direct, one rule set is
// refused, and another with a million networks of each family goes elsewhere.
func manyRules(b *testing.B, names int) (*Table, []netip.Addr) {
	r := rand.New(rand.NewPCG(24, 1))
	var networks prefix.Builder
	var within []netip.Addr // of each network one address, of both families in turn
	for range many {
		ipv4, ipv6 := randomIPv4(r), randomIPv6(r)
		within = append(within, ipv4, ipv6)
		networks.Add(netip.PrefixFrom(ipv4, 24-max(0, r.IntN(32)-23)))
		networks.Add(netip.PrefixFrom(ipv6, 32+4*r.IntN(5)))
	}
	elsewhere := ruleset.Conditions{Dests: networks.Set()}
	if names > 0 {
		var n domain.Builder
		for range names {
			if err := n.AddSuffix(fmt.Sprintf("n%x.test", r.Uint64())); err != nil {
				b.Fatal(err)
			}
		}
		elsewhere.Names = n.Set()
	}
	rule := ruleset.Rule{Conditions: elsewhere}
	sets := &Sets{byTag: map[string]*ruleSet{"elsewhere": {rules: []matcher{matcherOf(&rule)}}}}
	table, err := New(Spec{Rules: []Rule{
		{Conditions: Conditions{Private: true}, Outbound: "a"},
		{Conditions: Conditions{Ports: []ruleset.PortRange{{Low: 25, High: 25}}, Networks: TCP}, Outbound: "b"},
		{Conditions: Conditions{Sets: []string{"elsewhere"}}, Outbound: "c"},
	}, Final: "a"}, sets, someKnown)
	if err != nil {
		b.Fatal(err)
	}
	return table, within
}

// BenchmarkDecide decides about flows to addresses that were not asked for before,
// half of which are met, with a million networks of each family, and a million names.
func BenchmarkDecide(b *testing.B) {
	for _, names := range []int{0, many} {
		table, within := manyRules(b, names)
		for i, family := range []string{"IPv4", "IPv6"} {
			random := []func(*rand.Rand) netip.Addr{randomIPv4, randomIPv6}[i]
			r := rand.New(rand.NewPCG(24, 2))
			flows := make([]Flow, 1<<20)
			for j := range flows {
				dest := random(r)
				if j&1 == 0 {
					dest = within[2*r.IntN(many)+i]
				}
				flows[j] = Flow{Inbound: "one", Network: TCP, Client: netip.MustParseAddrPort("10.0.0.7:40000"), Dest: netip.AddrPortFrom(dest, 443)}
				if names > 0 {
					flows[j].Name, flows[j].Named = fmt.Sprintf("www.n%x.test", j), true
				}
			}
			b.Run(fmt.Sprintf("%s/names=%d", family, names), func(b *testing.B) {
				b.ReportAllocs()
				i, met := 0, 0
				for b.Loop() {
					if v := table.Decide(&flows[i&(len(flows)-1)]); v.Rule != Final {
						met++
					}
					i++
				}
				b.ReportMetric(100*float64(met)/float64(i), "%met")
			})
		}
	}
}
