package outbound

import (
	"cmp"
	"slices"
	"sync/atomic"
	"time"
)

// members are those of a Group. Any thread may ask which carries new flows.
type members struct {
	all   []*Outbound
	order atomic.Pointer[[]int] // indices into all: the one that is taken first, then the next best
}

func newMembers(o *Outbound, s *Set) *members {
	m := &members{}
	var order []int
	for i, tag := range o.Members {
		m.all = append(m.all, s.Tagged(tag))
		order = append(order, i)
	}
	m.order.Store(&order)
	return m
}

// areOf reports whether all are still open.
func (m *members) areOf(s *Set) bool {
	return !slices.ContainsFunc(m.all, func(o *Outbound) bool { return s.Tagged(o.Tag) != o })
}

// now is the index of the member that carries new flows, and whether it is up.
func (m *members) now() (i int, up bool) {
	order := *m.order.Load()
	for _, i := range order {
		if !m.all[i].IsDown() {
			return i, true
		}
	}
	return order[0], false
}

func (m *members) areDown() bool {
	_, up := m.now()
	return !up
}

// dead is the delay of a member that did not answer.
const dead = time.Duration(1<<63 - 1)

// rank puts the members in order by their delays. The first stays so unless it is
// dead or another is faster by more than tolerance; where all are dead, nothing
// changes.
func (m *members) rank(delays []time.Duration, tolerance time.Duration) {
	before := *m.order.Load()
	order := slices.Clone(before)
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(delays[i], delays[j]) })
	first := before[0]
	switch best := order[0]; {
	case delays[best] == dead:
		return
	case delays[first] != dead && delays[first]-delays[best] <= tolerance:
		order = slices.DeleteFunc(order, func(i int) bool { return i == first })
		order = slices.Insert(order, 0, first)
	}
	m.order.Store(&order)
}
