package loop

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// The queue keeps its order through growth and around the end of the ring.
func TestAgainQueueIsFirstInFirstOut(t *testing.T) {
	var q againQueue
	var model []uint64
	next := uint64(0)
	for range 10_000 {
		if len(model) > 0 && rand.IntN(2) == 0 {
			if got := q.pop(); got != model[0] {
				t.Fatalf("popped %d, want %d of %v", got, model[0], model)
			}
			model = slices.Delete(model, 0, 1)
			continue
		}
		q.push(next)
		model = append(model, next)
		next++
	}
	if q.n != len(model) {
		t.Errorf("%d left, want %d", q.n, len(model))
	}
}
