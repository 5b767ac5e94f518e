package watch

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/cmd/sluice/api"
	"sluice/redir/count"
	"sluice/redir/record"
)

// crowd is a Source of many flows, all of which move; some end between two looks.
type crowd struct {
	start time.Time
	flows []record.Record
	ends  int
	feeds record.Feeds
	ended uint32
}

// newCrowd has a hundredth as many clients as flows, and a fifth as many destinations,
// which have names; or, where somebody scans, a destination for each flow.
func newCrowd(flows, ends int, isScan bool) *crowd {
	c := &crowd{start: time.Now(), flows: make([]record.Record, flows), ends: ends}
	dests := uint32(max(1, flows/5))
	if isScan {
		dests = uint32(flows)
	}
	for i := range c.flows {
		r := &c.flows[i]
		r.ID, r.State, r.Rule = record.ConnID(i%2, uint32(i/2), uint64(i)), record.Relaying, -1
		r.Client = netip.AddrPortFrom(v4(10<<24|uint32(i)%uint32(max(1, flows/100))), uint16(i))
		r.Dest = netip.AddrPortFrom(v4(100<<24|uint32(i)*7919%dests), 443)
		if r.Dialed = r.Dest; !isScan {
			r.Name = "www.example.org"
		}
	}
	return c
}

func v4(n uint32) netip.Addr { return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, n))) }

func (c *crowd) Now() int64                                                   { return int64(time.Since(c.start)) }
func (c *crowd) Wall(ns int64) time.Time                                      { return c.start.Add(time.Duration(ns)) }
func (c *crowd) Reactors() int                                                { return 2 }
func (c *crowd) Flow(context.Context, record.ID) (r record.Record, err error) { return r, nil }
func (c *crowd) Ended(size int) *record.Feed                                  { return c.feeds.Open(2, size) }

func (c *crowd) Stats() (s count.Stats) {
	s[count.ConnsAccepted] = uint64(len(c.flows))
	return s
}

func (c *crowd) moveOn(r *record.Record, i int) { r.Up.Bytes += uint64(i) * 2654435761 % 1000 }

func (c *crowd) Flows(_ context.Context, _ record.Detail, visit func([]record.Record) bool) error {
	const slice = 256
	slices := (len(c.flows) + slice - 1) / slice
	for i := 0; i < len(c.flows); i += slice {
		part := c.flows[i:min(i+slice, len(c.flows))]
		for j := range part {
			c.moveOn(&part[j], i+j)
		}
		for range c.ends / slices {
			c.ended++
			r := c.flows[int(c.ended)%len(c.flows)]
			r.ID, r.Start = record.SessionID(1, c.ended), c.Now()
			c.feeds.Put(int(c.ended%2), &r)
		}
		visit(part)
	}
	return nil
}

// BenchmarkLook is of the time on the CPU that a look takes, without what a reactor
// takes for the records, and of the memory that is held until the next.
func BenchmarkLook(b *testing.B) {
	for _, c := range []struct {
		flows, ends int
		isScan      bool
	}{{1000, 150, false}, {100000, 0, false}, {100000, 15000, false}, {100000, 15000, true}} {
		b.Run(fmt.Sprintf("flows=%d/ends=%d/scan=%v", c.flows, c.ends, c.isScan), func(b *testing.B) {
			g := newCrowd(c.flows, c.ends, c.isScan)
			before := heap()
			w := New(Config{Source: g})
			busiest, _ := newSubscriber(api.Query{Sort: "rate"}, mostFlows, defaultTalkers)
			client, _ := newSubscriber(api.Query{Client: []string{"10.0.0.0/24"}, Sort: "bytes"}, mostFlows, defaultTalkers)
			present := []*subscriber{busiest, client}
			s := newSampler(w.config)
			look := func() {
				s.look(b.Context(), present)
				sample := s.sample(present)
				s.fill(b.Context(), present)
				for _, one := range present {
					s.fit(sample, one)
				}
				s.reset(present)
			}
			look()
			began := used(b)
			b.ReportAllocs()
			for b.Loop() {
				look()
			}
			b.ReportMetric(float64(used(b)-began)/1e6/float64(b.N), "ms-CPU/look")
			b.ReportMetric(float64(heap()-before)/1e6, "MB-held")
			s.feed.Close()
			runtime.KeepAlive(g)
		})
	}
}

// used is the time on the CPU since the process began, in ns.
func used(b *testing.B) int64 {
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return used.Utime.Nano() + used.Stime.Nano()
}

// heap is what is in use of it, without garbage.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
