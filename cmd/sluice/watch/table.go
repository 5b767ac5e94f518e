package watch

import (
	"hash/maphash"
	"slices"
)

const (
	leastSlots = 16
	// leastVast is how much room a table may have, in entries, without being thought vast.
	leastVast = 4096
)

// table finds entries by their keys. It takes what they take and 8 to 16 bytes for each,
// where maps of the same would take half as much again, and gives memory back when they
// get fewer. Keys that strangers choose cannot be made to collide.
type table[K comparable, V any] struct {
	seed    maphash.Seed
	entries []entry[K, V]
	// slots are places in entries, counted from 1, and 0 where there is none: each at its
	// key's hash, or after it. They are a power of two, and half of them at least are free.
	slots []uint32
}

type entry[K comparable, V any] struct {
	key   K
	value V
}

// newTable has room for so many entries from the start.
func newTable[K comparable, V any](room int) table[K, V] {
	return table[K, V]{seed: maphash.MakeSeed(), entries: make([]entry[K, V], 0, room)}
}

// of is the value of a key, until the table changes, and whether there was one before;
// else it is a new one.
func (t *table[K, V]) of(key K) (value *V, isKnown bool) {
	if 2*len(t.entries) >= len(t.slots) {
		t.index(slotsFor(max(cap(t.entries), len(t.entries)+1)))
	}
	slot := t.slot(key)
	for ; t.slots[slot] != 0; slot = (slot + 1) & (len(t.slots) - 1) {
		if e := &t.entries[t.slots[slot]-1]; e.key == key {
			return &e.value, true
		}
	}
	t.entries = append(t.entries, entry[K, V]{key: key})
	t.slots[slot] = uint32(len(t.entries))
	return &t.entries[len(t.entries)-1].value, false
}

// slotsFor is how many slots so many entries need.
func slotsFor(entries int) int {
	slots := leastSlots
	for slots < 2*entries {
		slots *= 2
	}
	return slots
}

func (t *table[K, V]) slot(key K) int {
	return int(maphash.Comparable(t.seed, key)) & (len(t.slots) - 1)
}

// index finds a place for each entry among so many slots.
func (t *table[K, V]) index(slots int) {
	if len(t.slots) == slots {
		clear(t.slots)
	} else {
		t.slots = make([]uint32, slots)
	}
	for i := range t.entries {
		slot := t.slot(t.entries[i].key)
		for t.slots[slot] != 0 {
			slot = (slot + 1) & (len(t.slots) - 1)
		}
		t.slots[slot] = uint32(i + 1)
	}
}

// keep drops the entries that are not worth it.
func (t *table[K, V]) keep(isWorthIt func(*V) bool) {
	kept := 0
	for i := range t.entries {
		if isWorthIt(&t.entries[i].value) {
			if kept < i {
				t.entries[kept] = t.entries[i]
			}
			kept++
		}
	}
	if kept == len(t.entries) {
		return
	}
	clear(t.entries[kept:]) // they may hold on to what they point to
	t.entries = t.entries[:kept]
	slots := len(t.slots)
	if t.isVast() {
		t.entries = slices.Clone(t.entries)
		slots = slotsFor(cap(t.entries))
	}
	t.index(slots)
}

// empty drops all entries, and keeps room for as many.
func (t *table[K, V]) empty() {
	if t.isVast() {
		t.entries, t.slots = nil, nil
		return
	}
	clear(t.entries) // likewise
	t.entries = t.entries[:0]
	clear(t.slots)
}

// isVast reports whether there is far more room than is used.
func (t *table[K, V]) isVast() bool {
	return cap(t.entries) >= leastVast && cap(t.entries) > 4*len(t.entries)
}
