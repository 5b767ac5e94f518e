package record

import (
	"context"
	"sync"
	"testing"
)

func TestFeedLosesNothingThatHasRoom(t *testing.T) {
	const workers, each = 3, 20000
	var feeds Feeds
	if feeds.Wanted() {
		t.Fatal("wanted without a reader")
	}
	f := feeds.Open(workers, 100)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				feeds.Put(w, &Record{ID: SessionID(w, uint32(i))})
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	next, got := [workers]uint32{}, 0
	records := make([]Record, 64)
	take := func() int {
		n := f.Read(records)
		for _, r := range records[:n] {
			if w := r.ID.Worker(); uint32(r.ID) < next[w] {
				t.Fatalf("%s after %d", r.ID, next[w])
			} else {
				next[w] = uint32(r.ID) + 1
			}
		}
		got += n
		return n
	}
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
			take()
		}
	}
	for take() > 0 {
	}
	if got+int(f.Lost()) != workers*each {
		t.Errorf("%d read and %d lost of %d", got, f.Lost(), workers*each)
	}
	f.Close()
	feeds.Put(0, &Record{})
	if feeds.Wanted() || f.Read(records) != 0 {
		t.Error("a closed feed goes on")
	}
}

func TestFeedWakes(t *testing.T) {
	var feeds Feeds
	f := feeds.Open(1, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if f.Wait(ctx) == nil {
		t.Error("woken for nothing")
	}
	feeds.Put(0, &Record{})
	feeds.Put(0, &Record{})
	if f.Wait(t.Context()) != nil || f.Lost() != 1 {
		t.Errorf("not woken, or %d lost", f.Lost())
	}
}

func TestPutAllocatesNothing(t *testing.T) {
	var feeds Feeds
	f := feeds.Open(1, 4)
	r, records := Record{}, make([]Record, 4)
	if n := testing.AllocsPerRun(1000, func() { feeds.Put(0, &r); f.Read(records) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
