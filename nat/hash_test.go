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
	addresses := map[string]func(i uint64) Key{
		"v4 neighbours": func(i uint64) Key { return at(0, 0xffff_0a00_0001+i, 53) },
		"v4 networks":   func(i uint64) Key { return at(0, 0xffff_0a00_0001+i<<8, 53) },
		"v6 neighbours": func(i uint64) Key { return at(0xfd00<<48|1, 2+i, 53) },
		"v6 networks":   sets["v6 networks"],
		"v6 interfaces": sets["v6 interfaces"],
	}
	uses := map[string]func(s *seed, k Key) uint64{
		"tag":            func(s *seed, k Key) uint64 { return s.hash(k)&0xf<<7 | tagOf(s.hash(k))&0x7f },
		"bucket":         func(s *seed, k Key) uint64 { return s.hash(k) >> 16 },
		"bucket and tag": func(s *seed, k Key) uint64 { return s.hash(k)>>16&0xf<<7 | tagOf(s.hash(k))&0x7f },
	}
	ofAddresses := map[string]func(s *seed, k Key) uint64{
		"shard":            func(s *seed, k Key) uint64 { return s.address(k) },
		"shard and bucket": func(s *seed, k Key) uint64 { return s.address(k)&0xf<<7 | s.hash(k)>>16&0x7f },
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range seeds {
		s := seed{r.Uint64(), r.Uint64(), r.Uint64(), r.Uint64()}
		for _, c := range []struct {
			sets map[string]func(i uint64) Key
			uses map[string]func(s *seed, k Key) uint64
		}{{sets, uses}, {addresses, ofAddresses}} {
			for set, key := range c.sets {
				for use, cell := range c.uses {
					var count [cells]float64
					for i := range uint64(clients) {
						count[cell(&s, key(i))%cells]++
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
}
