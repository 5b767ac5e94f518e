package prefix

import (
	"slices"
	"sort"
)

// edges6 are those of IPv6. Few prefixes are longer than 64 bits: the upper halves
// of addresses are looked up first, and the lower ones only where there are any.
type edges6 struct {
	highs index[uint64]
	// starts are the numbers of the first edge with each upper half, and one behind
	// the last; nil: one edge each, and its lower half is 0.
	starts []uint32
	lows   []uint64 // of each edge; nil as starts
}

func newEdges6(edges []addr6) edges6 {
	highs := make([]uint64, 0, len(edges))
	starts := make([]uint32, 0, len(edges)+1)
	lows := make([]uint64, 0, len(edges))
	plain := true
	for i, e := range edges {
		same := i > 0 && e.high == edges[i-1].high
		if !same {
			highs, starts = append(highs, e.high), append(starts, uint32(i))
		}
		lows = append(lows, e.low)
		plain = plain && !same && e.low == 0
	}
	highs = slices.Clone(highs) // of the size that it needs
	if plain {
		return edges6{highs: newIndex(highs)}
	}
	return edges6{newIndex(highs), append(starts, uint32(len(edges))), lows}
}

// at is the number of the last edge that does not lie behind a, -1 if all do.
func (e *edges6) at(a addr6) int {
	i := e.highs.at(a.high)
	switch {
	case i < 0 || e.starts == nil:
		return i
	case e.highs.keys[i] != a.high:
		return int(e.starts[i+1]) - 1
	}
	start := int(e.starts[i])
	lows := e.lows[start:e.starts[i+1]]
	return start + sort.Search(len(lows), func(j int) bool { return lows[j] > a.low }) - 1
}

func (e *edges6) len() int { return max(len(e.lows), len(e.highs.keys)) }

// all are the edges.
func (e *edges6) all() []addr6 {
	all := make([]addr6, 0, e.len())
	for i, high := range e.highs.keys {
		if e.starts == nil {
			all = append(all, addr6{high: high})
			continue
		}
		for _, low := range e.lows[e.starts[i]:e.starts[i+1]] {
			all = append(all, addr6{high, low})
		}
	}
	return all
}
