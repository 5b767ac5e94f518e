package udp

import (
	"testing"
	"time"
)

// flood is a listener in a model: new sources and datagrams of known sessions
// come at a rate, and a reactor has a time for each.
type flood struct {
	fresh, known int64 // a second
	open, pass   int64 // ns to open a session, and to deal with a datagram otherwise
	share        int64 // of the CPU, as 1/share
}

// run lets a second pass, and returns how many sessions were opened and the most
// datagrams that waited.
func (f flood) run(g *gate) (opened, most int64) {
	const batch = 64
	var b backlog
	var now, waiting, arrived, fresh int64
	for now < int64(time.Second) {
		total := now * (f.fresh + f.known) / int64(time.Second)
		waiting += total - arrived
		arrived = total
		most = max(most, waiting)
		n := min(waiting, batch)
		behind := b.received(now, n == batch)
		asked := g.asked
		took := int64(10 * time.Microsecond)
		for range n {
			took += f.pass
			if fresh += f.fresh; fresh >= f.fresh+f.known { // its share of all
				fresh -= f.fresh + f.known
				if g.admits(now) {
					opened++
					took += f.open
				}
			}
		}
		g.tell(now, behind && int64(g.asked-asked)*freshShare >= n)
		waiting -= n
		now += took * f.share
	}
	return opened, most
}

func TestGateBoundsWhatWaits(t *testing.T) {
	const buffer = 8 * 5_000 // datagrams that the buffers of a worker's listeners hold
	for _, c := range []struct {
		name          string
		flood         flood
		fewest, bound int64 // sessions opened; datagrams that wait
	}{
		{"CPU to spare", flood{fresh: 5_000, known: 5_000, open: 20_000, pass: 1_000, share: 1}, 4_990, 100},
		{"a burst of clients, little CPU", flood{fresh: 5_000, known: 5_000, open: 20_000, pass: 1_000, share: 4}, leastRate, buffer / 8},
		{"25,000 sources, little CPU", flood{fresh: 25_000, known: 15_000, open: 30_000, pass: 2_000, share: 4}, leastRate, buffer / 8},
		{"beside bulk", flood{fresh: 200, known: 500_000, open: 30_000, pass: 2_000, share: 1}, 150, 500_000},
		{"200,000 sources", flood{fresh: 200_000, known: 15_000, open: 30_000, pass: 1_000, share: 2}, leastRate, buffer / 4},
	} {
		opened, most := c.flood.run(new(gate))
		if opened < c.fewest || most > c.bound {
			t.Errorf("%s: %d opened, want %d at least; up to %d waited, want %d at most", c.name, opened, c.fewest, most, c.bound)
		}
	}
}

// TestGateOpensAgain lets a flood end: in time, nothing is bound.
func TestGateOpensAgain(t *testing.T) {
	var g gate
	now, begun := int64(0), 0
	for range 1000 {
		now += int64(time.Millisecond)
		if g.tell(now, true) {
			begun++
		}
	}
	if begun != 1 || g.rate != leastRate {
		t.Fatalf("the bound began %d times, at last %d a second", begun, g.rate)
	}
	for range 12 {
		if g.rate == 0 {
			break
		}
		now += fasterEvery
		g.tell(now, false)
	}
	if !g.admits(now) || g.rate != 0 {
		t.Errorf("%d a second are admitted long after", g.rate)
	}
}

// TestBacklogOfBursts fills batches and is not behind: few, or for a short time.
func TestBacklogOfBursts(t *testing.T) {
	for _, c := range []struct {
		every int64 // ns
		inRow int
	}{{behindAfter, behindBatches - 1}, {behindAfter / 1000, 1000}} {
		var b backlog
		now := int64(time.Hour)
		for range 10 {
			for range c.inRow {
				now += c.every
				if b.received(now, true) {
					t.Fatalf("behind amid %d batches in a row, %d ns each", c.inRow, c.every)
				}
			}
			b.received(now, false)
		}
	}
}

func TestGateDoesNotAllocate(t *testing.T) {
	var g gate
	var b backlog
	now := int64(0)
	if n := testing.AllocsPerRun(1000, func() { now += 1e6; g.tell(now, b.received(now, true)); g.admits(now) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
