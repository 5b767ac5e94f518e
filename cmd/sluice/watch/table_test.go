package watch

import (
	"math/rand/v2"
	"testing"
)

// TestTableIsAMap compares a table with a map that does the same.
func TestTableIsAMap(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	table, model := newTable[uint64, int](7), map[uint64]int{}
	for round := range 60 {
		keys := uint64(100)
		if round%20 == 10 {
			keys = 30000 // far more than before and after
		}
		for i := range keys {
			key := random.Uint64N(keys)
			value, isKnown := table.of(key)
			if was, ok := model[key]; ok != isKnown || was != *value {
				t.Fatalf("round %d, key %d: %d, %v; want %d, %v", round, key, *value, isKnown, was, ok)
			}
			*value, model[key] = int(i), int(i)
		}
		switch round % 3 {
		case 0:
			table.keep(func(v *int) bool { return *v%5 == 0 })
			for key, v := range model {
				if v%5 != 0 {
					delete(model, key)
				}
			}
		case 1:
			table.keep(func(*int) bool { return true })
		default:
			table.empty()
			clear(model)
		}
		if len(table.entries) != len(model) {
			t.Fatalf("round %d: %d entries, want %d", round, len(table.entries), len(model))
		}
		for _, e := range table.entries {
			if v, ok := model[e.key]; !ok || v != e.value {
				t.Fatalf("round %d, key %d: %d; want %d, %v", round, e.key, e.value, v, ok)
			}
		}
		if room := cap(table.entries); room > 10*leastVast && len(model) < room/8 && round%20 > 13 {
			t.Errorf("round %d: room for %d, of which %d are used", round, room, len(model))
		}
	}
}
