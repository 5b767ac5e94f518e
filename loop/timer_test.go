package loop

import (
	"math/rand/v2"
	"slices"
	"testing"
)

type recorder struct {
	timer Timer
	fired *[]int64
}

func (r *recorder) Expired(int64) { *r.fired = append(*r.fired, r.timer.deadline) }

// The heap fires exactly the armed timers that are due, earliest first,
// whatever was moved or cancelled before.
func TestTimersFireInOrder(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 1))
		var ts timers
		var fired, want []int64
		all := make([]*recorder, 200)
		for i := range all {
			all[i] = &recorder{fired: &fired}
		}
		for range 1000 {
			r := all[random.IntN(len(all))]
			if random.IntN(4) == 0 {
				ts.cancel(&r.timer)
			} else {
				ts.arm(&r.timer, r, random.Int64N(1000))
			}
		}
		const now = 600
		for _, r := range all {
			if r.timer.Armed() && r.timer.deadline <= now {
				want = append(want, r.timer.deadline)
			}
		}
		slices.Sort(want)
		ts.expire(now)
		if !slices.Equal(fired, want) {
			t.Fatalf("seed %d: fired %v, want %v", seed, fired, want)
		}
		if next, ok := ts.next(); ok && next <= now {
			t.Fatalf("seed %d: timer of %d left behind", seed, next)
		}
	}
}

func TestTimerMayRearmItself(t *testing.T) {
	var ts timers
	again := &rearmer{ts: &ts}
	ts.arm(&again.timer, again, 10)
	ts.expire(10)
	if again.fired != 1 || !again.timer.Armed() || again.timer.Deadline() != 20 {
		t.Fatalf("fired %d times, deadline %d", again.fired, again.timer.Deadline())
	}
}

type rearmer struct {
	ts    *timers
	timer Timer
	fired int
}

func (r *rearmer) Expired(now int64) {
	r.fired++
	r.ts.arm(&r.timer, r, now+10)
}
