package nat

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestHashSpreads counts how regular sets of clients fall into as many cells
// as the bits of each use can tell apart, with many seeds. The deviation from
// chance (chi squared, in standard deviations) stays small; a hash that forms
// patterns exceeds it by orders of magnitude.
func TestHashSpreads(t *testing.T) {
	const clients, cells, seeds, limit = 1 << 14, 1 << 11, 100, 6
	at := func(hi, lo uint64, port uint16) Key { return Key{hi: hi, lo: lo, port: port} }
	sets := map[string]func(i uint64) Key{
		"one address":   func(i uint64) Key { return at(0, 0xffff_0a00_0001, uint16(i)) },
		"high ports":    func(i uint64) Key { return at(0, 0xffff_0a00_0001+i>>10, uint16(i<<6)) },
		"one port":      func(i uint64) Key { return at(0, 0xffff_0a00_0001+i, 53) },
		"both":          func(i uint64) Key { return at(0, 0xffff_0a00_0001+i>>8, uint16(i%256)) },
		"v6 networks":   func(i uint64) Key { return at(0x2001_0db8<<32|i, 1, 53) },
		"v6 interfaces": func(i uint64) Key { return at(0x2001_0db8<<32, i<<24, 53) },
		"inbounds":      func(i uint64) Key { return Key{lo: 1, port: 53, inbound: uint16(i)} },
		"scopes":        func(i uint64) Key { return Key{hi: 0xfe80 << 48, lo: 1, port: 53, scope: uint32(i)} },
	}
	uses := map[string]func(h uint64) uint64{
		"shard and tag":    func(h uint64) uint64 { return h&0xf<<7 | tagOf(h)&0x7f },
		"bucket":           func(h uint64) uint64 { return h >> 16 },
		"shard and bucket": func(h uint64) uint64 { return h&0xf<<7 | h>>16&0x7f },
		"bucket and tag":   func(h uint64) uint64 { return h>>16&0xf<<7 | tagOf(h)&0x7f },
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range seeds {
		s := seed{r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64()}
		for set, key := range sets {
			for use, cell := range uses {
				var count [cells]float64
				for i := range uint64(clients) {
					count[cell(s.hash(key(i)))%cells]++
				}
				chi := -float64(cells)
				for _, n := range count {
					chi += (n - clients/cells) * (n - clients/cells) / (clients / cells)
				}
				if z := chi / math.Sqrt(2*cells); z > limit {
					t.Errorf("%s, %s, seed %x: %.0f standard deviations", set, use, s, z)
				}
			}
		}
	}
}
