package view

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"sluice/cmd/sluice/api"
	"sluice/redir/record"
)

// some are flows with few different keys, so that many have the same.
func some(n int) []record.Record {
	random := rand.New(rand.NewPCG(1, 2))
	all := make([]record.Record, n)
	for i := range all {
		r := &all[i]
		r.ID, r.State = record.ConnID(i%3, uint32(i), 0), record.Relaying
		if i%4 == 0 {
			r.ID = record.SessionID(i%3, uint32(i))
		}
		r.Client = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(random.IntN(20))}), 1000)
		r.Dest = netip.AddrPortFrom(netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, random.Uint32N(20)))), 443)
		r.Start, r.Active = random.Int64N(10), random.Int64N(10)
		r.Up.Bytes, r.Down.Bytes = random.Uint64N(10), random.Uint64N(10)
	}
	random.Shuffle(n, func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// rateOf makes up a rate, of some none.
func rateOf(r *record.Record) float64 { return float64(r.Up.Bytes) - 1 }

func TestPagesAreAllFlowsInOrder(t *testing.T) {
	flows := some(500)
	matching := 0
	for i := range flows {
		if !flows[i].ID.IsSession() {
			matching++
		}
	}
	for _, name := range sortingNames {
		for _, sign := range []string{"", "-"} {
			q := api.Query{Sort: sign + name, Network: "tcp"}
			var got []string
			for pages := 0; pages < 100; pages++ {
				f, err := NewFilter(q)
				if err != nil {
					t.Fatal(err)
				}
				best := NewBest(f, 37)
				for i := range flows {
					best.Add(&flows[i], 100, rateOf(&flows[i]), 0)
				}
				page := best.Page(wall)
				if page.Total != matching {
					t.Fatalf("%s: %d match, want %d", q.Sort, page.Total, matching)
				}
				for _, f := range page.Flows {
					got = append(got, f.ID)
				}
				if q.After = page.Next; q.After == "" {
					break
				}
			}
			if want := sorted(flows, q.Sort); !slices.Equal(got, want) {
				t.Errorf("%s: %d flows in another order than these %d", q.Sort, len(got), len(want))
			}
		}
	}
}

// sorted is what the pages together should be.
func sorted(flows []record.Record, sort string) (ids []string) {
	o, _ := parseOrder(sort)
	flows = slices.DeleteFunc(slices.Clone(flows), func(r record.Record) bool { return r.ID.IsSession() })
	slices.SortFunc(flows, func(a, b record.Record) int {
		c := 0
		switch o.by {
		case byRate:
			c = int(max(rateOf(&b), -1) - max(rateOf(&a), -1))
		case byBytes:
			c = int(b.Up.Bytes+b.Down.Bytes) - int(a.Up.Bytes+a.Down.Bytes)
		case byAge:
			c = int(a.Start - b.Start)
		case byIdle:
			c = int(a.Active - b.Active)
		case byClient:
			c = a.Client.Compare(b.Client)
		case byDest:
			c = a.Dest.Compare(b.Dest)
		}
		if c == 0 && a.ID < b.ID {
			c = -1
		} else if c == 0 {
			c = 1
		}
		if o.isBack {
			return -c
		}
		return c
	})
	for i := range flows {
		ids = append(ids, flows[i].ID.String())
	}
	return ids
}

func TestBestCanBeUsedAgain(t *testing.T) {
	flows := some(50)
	f, _ := NewFilter(api.Query{})
	best := NewBest(f, 10)
	for range 2 {
		best.Reset()
		for i := range flows {
			best.Add(&flows[i], 0, 1, 2)
		}
		if p := best.Page(wall); len(p.Flows) != 10 || len(best.IDs()) != 10 || p.Total != 50 || *p.Flows[0].RateDown != 2 {
			t.Errorf("%d flows of %d", len(p.Flows), p.Total)
		}
	}
	none := NewBest(f, 0)
	none.Add(&flows[0], 0, -1, -1)
	if p := none.Page(wall); len(p.Flows) != 0 || p.Total != 1 || p.Next != "" {
		t.Errorf("%+v", p)
	}
}

// BenchmarkBest is of what a flow costs that passes by a subscriber, where flows
// come in an order that has nothing to do with that of the page.
func BenchmarkBest(b *testing.B) {
	flows := some(100000)
	for name, q := range map[string]api.Query{"id": {}, "rate": {Sort: "rate"}, "bytes-of-client": {Sort: "bytes", Client: []string{"10.0.0.0/28"}}} {
		f, err := NewFilter(q)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			best := NewBest(f, 50)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if i%len(flows) == 0 {
					best.Reset()
				}
				r := &flows[i%len(flows)]
				best.Add(r, 0, float64(r.Up.Bytes), 0)
			}
		})
	}
}
