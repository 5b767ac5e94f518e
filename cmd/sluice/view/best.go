package view

import (
	"container/heap"
	"slices"
	"time"

	"sluice/cmd/sluice/api"
	"sluice/redir/record"
)

// Best keeps the first flows of those that a filter lets pass. It belongs to one
// goroutine.
type Best struct {
	filter *Filter
	limit  int
	total  int   // that match, on this page or another
	rest   int   // that come after the cursor
	kept   []one // at most limit
	order  []int // a heap of indexes of kept: the last one in the filter's order on top
}

type one struct {
	at       cursor
	record   record.Record
	up, down float64
}

// NewBest keeps up to limit flows.
func NewBest(f *Filter, limit int) *Best { return &Best{filter: f, limit: limit} }

// Reset forgets all flows, and keeps the room.
func (b *Best) Reset() {
	clear(b.kept) // it holds texts
	b.total, b.rest, b.kept, b.order = 0, 0, b.kept[:0], b.order[:0]
}

// Add takes a copy of r if it is among the first, and reports whether it matches.
// Rates are bytes a second; below 0, they are not known.
func (b *Best) Add(r *record.Record, now int64, up, down float64) bool {
	rate := up + down
	if up < 0 || down < 0 {
		rate = -1
	}
	f := b.filter
	if !f.Matches(r, now, rate) {
		return false
	}
	b.total++
	at := f.order.of(r, rate)
	if !f.isFirst && !f.order.isBefore(&f.after, &at) {
		return true
	}
	b.rest++
	switch {
	case len(b.kept) < b.limit:
		b.kept = append(b.kept, one{at, *r, up, down})
		heap.Push(b, len(b.kept)-1)
	case b.limit > 0 && f.order.isBefore(&at, &b.kept[b.order[0]].at):
		b.kept[b.order[0]] = one{at, *r, up, down}
		heap.Fix(b, 0)
	}
	return true
}

// Each calls f with the records that were kept, which it may change: their order is
// settled.
func (b *Best) Each(f func(*record.Record)) {
	for i := range b.kept {
		f(&b.kept[i].record)
	}
}

// Page is what was kept, in order. Nothing can be added after it but after Reset.
func (b *Best) Page(wall func(ns int64) time.Time) api.FlowPage {
	p := api.FlowPage{Flows: make([]api.Flow, 0, len(b.kept)), Total: b.total}
	slices.SortFunc(b.order, func(i, j int) int {
		if b.filter.order.isBefore(&b.kept[i].at, &b.kept[j].at) {
			return -1
		}
		return 1
	})
	for _, i := range b.order {
		o := &b.kept[i]
		f := Flow(&o.record, wall)
		if o.up >= 0 && o.down >= 0 {
			up, down := o.up, o.down
			f.RateUp, f.RateDown = &up, &down
		}
		p.Flows = append(p.Flows, f)
	}
	if n := len(b.order); n > 0 && b.rest > n {
		p.Next = b.filter.order.text(&b.kept[b.order[n-1]].at)
	}
	return p
}

// Fill has full records take the place of those that were kept, as far as full has
// them: what has ended meanwhile stays as it is. Their order stays too.
func (b *Best) Fill(full func(record.ID) (record.Record, error)) {
	for i := range b.kept {
		if r, err := full(b.kept[i].record.ID); err == nil {
			b.kept[i].record = r
		}
	}
}

// IDs are those of the flows that were kept.
func (b *Best) IDs() []record.ID {
	ids := make([]record.ID, len(b.kept))
	for i := range b.kept {
		ids[i] = b.kept[i].record.ID
	}
	return ids
}

// Len, Less, Swap, Push and Pop are heap.Interface, of the indexes.
func (b *Best) Len() int { return len(b.order) }

func (b *Best) Less(i, j int) bool {
	return b.filter.order.isBefore(&b.kept[b.order[j]].at, &b.kept[b.order[i]].at)
}

func (b *Best) Swap(i, j int) { b.order[i], b.order[j] = b.order[j], b.order[i] }

func (b *Best) Push(i any) { b.order = append(b.order, i.(int)) }

func (b *Best) Pop() any {
	last := len(b.order) - 1
	i := b.order[last]
	b.order = b.order[:last]
	return i
}
