package domain

import (
	"iter"
	"math"
	"math/bits"
)

// What an entry stands for, its first byte.
const (
	itself = 1 << iota
	below
)

const (
	// headEntry is how many bytes of an entry stand before its name.
	headEntry = 2
	// mostTexts is what a slot's number can tell.
	mostTexts = math.MaxUint32
)

// table finds names by their hashes.
type table struct {
	texts []byte // entries, one after another
	slots []slot // a power of two, or none
	names int
	// most and least are the depths of the deepest entry and of the least deep one.
	most, least int
}

// slot tells of one entry. A name that has no place in the slot of its hash is in
// one of those that follow it, before an empty one.
type slot struct {
	hash uint32 // its upper half; the lower one chose the slot
	at   uint32 // of the entry, from 1; 0: empty
}

// newTable takes entries. Those of one name become one.
func newTable(texts []byte, entries int) table {
	t := table{texts: texts, least: math.MaxInt}
	if entries == 0 {
		return t
	}
	t.slots = make([]slot, 1<<bits.Len(uint(entries+entries/3))) // 3 in 4 are taken at most
	for at := 0; at < len(texts); at += headEntry + int(texts[at+1]) {
		t.put(at)
	}
	return t
}

func (t *table) put(at int) {
	name := t.nameAt(at)
	depth, h := 1, uint64(seed)
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == '.' {
			depth++
		}
		h = hashed(h, name[i])
	}
	t.most, t.least = max(t.most, depth), min(t.least, depth)
	i, found := t.find(h, string(name))
	if found {
		t.texts[t.slots[i].at-1] |= t.texts[at]
		return
	}
	t.slots[i] = slot{uint32(mixed(h) >> 32), uint32(at + 1)}
	t.names++
}

// seed and prime are those of FNV-1a of 64 bits.
const seed, prime = 0xcbf29ce484222325, 0x100000001b3

// hashed takes in one more byte. Names are hashed from their end, so that one way
// through a name gives the hash of each name that it is below.
func hashed(h uint64, c byte) uint64 { return (h ^ uint64(c)) * prime }

// mixed spreads what the last bytes did to the upper bits over all.
func mixed(h uint64) uint64 { return (h ^ h>>32) * 0x9e3779b97f4a7c15 }

// find is the slot of the name with this hash or, where it is not in the table, the
// empty one that it would have.
func (t *table) find(h uint64, name string) (i int, found bool) {
	h = mixed(h)
	mask := uint32(len(t.slots) - 1)
	for i := uint32(h) & mask; ; i = (i + 1) & mask {
		s := t.slots[i]
		if s.at == 0 {
			return int(i), false
		}
		if s.hash == uint32(h>>32) && string(t.nameAt(int(s.at-1))) == name {
			return int(i), true
		}
	}
}

func (t *table) nameAt(at int) []byte {
	return t.texts[at+headEntry:][:t.texts[at+1]]
}

// has reports whether the name's own entry stands for something of own, or one of a
// name that it is below for something of above.
func (t *table) has(name string, own, above byte) bool {
	if len(t.slots) == 0 || name == "" {
		return false
	}
	depth, h := 1, uint64(seed)
	for i := len(name) - 1; ; i-- {
		if i < 0 || name[i] == '.' {
			wanted := above
			if i < 0 {
				wanted = own
			}
			if depth >= t.least && t.standsFor(h, name[i+1:])&wanted != 0 {
				return true
			}
			if i < 0 || depth == t.most {
				return false
			}
			depth++
		}
		h = hashed(h, name[i])
	}
}

// standsFor is what the name's own entry stands for, nothing without one.
func (t *table) standsFor(h uint64, name string) byte {
	i, found := t.find(h, name)
	if !found {
		return 0
	}
	return t.texts[t.slots[i].at-1]
}

// all are the names, and what each stands for.
func (t *table) all() iter.Seq2[string, byte] {
	return func(yield func(string, byte) bool) {
		for _, s := range t.slots {
			if s.at != 0 && !yield(string(t.nameAt(int(s.at-1))), t.texts[s.at-1]) {
				return
			}
		}
	}
}
