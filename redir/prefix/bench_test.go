package prefix

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"testing"

	"github.com/gaissmai/bart"
)

// lookups is what a benchmark asks: the Set, or the library beside it.
type lookups interface{ Contains(netip.Addr) bool }

// BenchmarkContains asks for addresses that were not asked for before, of sets of
// several sizes, beside github.com/gaissmai/bart.
func BenchmarkContains(b *testing.B) {
	for _, n := range []int{10, 10_000, 1_000_000} {
		for _, family := range []string{"IPv4", "IPv6"} {
			r := rand.New(rand.NewPCG(1, 2))
			ipv4, ipv6, random := n, 0, randomIPv4
			if family == "IPv6" {
				ipv4, ipv6, random = 0, n, randomIPv6
			}
			prefixes := seeds(r, ipv4, ipv6)
			addrs := make([]netip.Addr, 1<<20)
			for i := range addrs { // one in two is of a prefix
				addrs[i] = random(r)
				if r.IntN(2) == 0 {
					addrs[i] = prefixes[r.IntN(n)].Addr()
				}
			}
			for name, build := range map[string]func([]netip.Prefix) lookups{"Set": setOf, "bart": liteOf} {
				b.Run(fmt.Sprintf("%s/%d/%s", family, n, name), func(b *testing.B) {
					before := heap()
					l := build(prefixes)
					perPrefix := float64(heap()-before) / float64(n)
					b.ReportAllocs()
					i, found, asked := 0, 0, 0
					for b.Loop() { // what is asked next depends on the answer: lookups do not overlap
						one := 0
						if l.Contains(addrs[i&(len(addrs)-1)]) {
							one = 1
						}
						found += one
						i += 1 + one
						asked++
					}
					b.ReportMetric(perPrefix, "B/prefix")
					b.ReportMetric(100*float64(found)/float64(asked), "%found")
				})
			}
		}
	}
}

// BenchmarkBuild makes a set of a million prefixes of each family.
func BenchmarkBuild(b *testing.B) {
	prefixes := seeds(rand.New(rand.NewPCG(1, 2)), 1_000_000, 1_000_000)
	for b.Loop() {
		setOf(prefixes)
	}
}

func setOf(prefixes []netip.Prefix) lookups {
	var b Builder
	for _, p := range prefixes {
		b.Add(p)
	}
	return b.Set()
}

func liteOf(prefixes []netip.Prefix) lookups {
	l := new(bart.Lite)
	for _, p := range prefixes {
		l.Insert(p)
	}
	return l
}

// heap is how many bytes live.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
