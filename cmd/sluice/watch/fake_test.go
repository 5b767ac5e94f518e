package watch

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"sluice/cmd/sluice/api"
	"sluice/redir/count"
	"sluice/redir/record"
)

// gateway is a Source whose flows do what a test says.
type gateway struct {
	mu      sync.Mutex
	start   time.Time
	step    time.Duration // of the clock
	flows   []*record.Record
	stats   count.Stats
	feeds   record.Feeds
	slice   int
	fails   error         // of looks
	amid    func()        // once, between the copy of a slice and the visit; may be nil
	pause   time.Duration // after each slice
	looks   int
	asked   int  // times, for a flow
	isStuck bool // a reactor: nobody answers
	next    uint32
}

func newGateway() *gateway { return &gateway{start: time.Now(), slice: 3} }

func (g *gateway) Now() int64 { return int64(time.Since(g.start)) }

func (g *gateway) Wall(ns int64) time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.start.Round(0).Add(g.step + time.Duration(ns))
}

func (g *gateway) Reactors() int { return 1 }

func (g *gateway) Ended(size int) *record.Feed { return g.feeds.Open(1, size) }

func (g *gateway) Stats() count.Stats {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.stats
}

func (g *gateway) Flows(ctx context.Context, _ record.Detail, visit func([]record.Record) bool) error {
	g.mu.Lock()
	g.looks++
	all, fails, pause := slices.Clone(g.flows), g.fails, g.pause
	g.mu.Unlock()
	for part := range slices.Chunk(all, g.slice) {
		g.mu.Lock()
		var records []record.Record
		for _, r := range part {
			if slices.Contains(g.flows, r) {
				records = append(records, *r)
			}
		}
		amid := g.amid
		g.amid = nil
		g.mu.Unlock()
		if amid != nil {
			amid()
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !visit(records) || fails != nil {
			return fails
		}
		time.Sleep(pause)
	}
	return fails
}

func (g *gateway) Flow(ctx context.Context, id record.ID) (record.Record, error) {
	g.mu.Lock()
	g.asked++
	isStuck := g.isStuck
	i := slices.IndexFunc(g.flows, func(r *record.Record) bool { return r.ID == id })
	var r record.Record
	if i >= 0 {
		r = *g.flows[i]
	}
	g.mu.Unlock()
	if isStuck {
		<-ctx.Done()
		return record.Record{}, ctx.Err()
	}
	if i < 0 {
		return record.Record{}, errors.New("ended")
	}
	if r.State != record.Dialing {
		r.Source = source
	}
	return r, nil
}

func (g *gateway) timesAsked() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.asked
}

// source is what full records have beyond brief ones.
var source = netip.MustParseAddrPort("198.51.100.1:1")

// open begins a flow of 10.0.0.CLIENT.
func (g *gateway) open(client, dest byte, isSession bool) *record.Record {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.next++
	r := &record.Record{
		ID: record.ConnID(0, g.next, 0), State: record.Relaying, Client: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, client}), 1024),
		Dest: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, dest}), 443), Start: g.Now(), Active: g.Now(), Rule: -1,
	}
	g.stats[count.ConnsAccepted]++
	if isSession {
		r.ID = record.SessionID(0, g.next)
	}
	g.flows = append(g.flows, r)
	return r
}

func (g *gateway) move(r *record.Record, up, down uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	r.Up.Bytes += up
	r.Down.Bytes += down
	g.stats[count.TCPBytesToUpstream] += up
	g.stats[count.TCPBytesToClient] += down
}

// tell tells of the end of a flow that lingers.
func (g *gateway) tell(r *record.Record) {
	g.mu.Lock()
	defer g.mu.Unlock()
	told := *r
	told.State, told.Cause, told.End = record.Ended, count.FailedRelay, g.Now()
	g.feeds.Put(0, &told)
}

// vanish ends a flow that was told of.
func (g *gateway) vanish(r *record.Record) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stats[count.ConnsClosed]++
	g.flows = slices.DeleteFunc(g.flows, func(other *record.Record) bool { return other == r })
}

func (g *gateway) end(r *record.Record) {
	g.tell(r)
	g.vanish(r)
}

// subscribe gives the sample after the first, and the rest.
func subscribe(t *testing.T, w *Watch, q api.Query) <-chan api.Sample {
	t.Helper()
	samples, leave, err := w.Subscribe(q)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(leave)
	if first := <-samples; first.Interval != 0 {
		t.Errorf("the first sample has an interval of %v", first.Interval)
	}
	return samples
}

// talkerOf is that of an address; without one, one of nothing.
func talkerOf(all []api.Talker, address string) api.Talker {
	i := slices.IndexFunc(all, func(o api.Talker) bool { return o.Address == address })
	if i < 0 {
		return api.Talker{}
	}
	return all[i]
}
