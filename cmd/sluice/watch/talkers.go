package watch

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"sluice/cmd/sluice/api"
	"sluice/redir/record"
)

// talkers sums up flows by an address of theirs, for one look.
type talkers struct {
	all   table[netip.Addr, talker]
	names []named
}

// talker is what the flows of an address have in common.
type talker struct {
	moved           moved  // in the interval, those too that have ended
	up, down        uint64 // bytes, of those that run
	conns, sessions uint32
	name            uint32 // index into names, counted from 1; 0: none
	isHeld          bool
}

// named is a name, and when the flow began that had it.
type named struct {
	name  string
	start int64 // ns of Reactor.Now
}

func newTalkers() talkers { return talkers{all: newTable[netip.Addr, talker](0)} }

// destination is what a flow is counted for: where it was really led, if that is known,
// which it is also of a flow whose record is brief.
func destination(r *record.Record) netip.Addr {
	if r.Dialed.IsValid() {
		return r.Dialed.Addr()
	}
	return r.Dest.Addr()
}

// of is the talker of an address, until the next call.
func (t *talkers) of(a netip.Addr) *talker {
	o, _ := t.all.of(a.Unmap())
	return o
}

// add adds what a flow has moved that runs no more.
func (o *talker) add(m moved) {
	o.moved.up += m.up
	o.moved.down += m.down
}

// run adds a flow that runs.
func (o *talker) run(r *record.Record, m moved) {
	o.add(m)
	o.up += r.Up.Bytes
	o.down += r.Down.Bytes
	o.isHeld = o.isHeld || r.Held
	if r.ID.IsSession() {
		o.sessions++
	} else {
		o.conns++
	}
}

// name gives o the name of its flow r, if r has one and began after the flow whose name
// it has.
func (t *talkers) name(o *talker, r *record.Record) {
	switch {
	case r.Name == "":
	case o.name == 0:
		t.names = append(t.names, named{r.Name, r.Start})
		o.name = uint32(len(t.names))
	case t.names[o.name-1].start <= r.Start:
		t.names[o.name-1] = named{r.Name, r.Start}
	}
}

// top are the n that have moved the most, or else have moved the most since their
// flows began.
func (t *talkers) top(n int, interval time.Duration) []api.Talker {
	var first []*entry[netip.Addr, talker]
	for i := range t.all.entries {
		o := &t.all.entries[i]
		if len(first) == n && (n == 0 || compare(o, first[n-1]) > 0) || !o.key.IsValid() {
			continue
		}
		if len(first) == n {
			first = first[:n-1]
		}
		at, _ := slices.BinarySearchFunc(first, o, compare)
		first = slices.Insert(first, at, o)
	}
	top := make([]api.Talker, len(first))
	for i, e := range first {
		o := &e.value
		top[i] = api.Talker{
			Address: e.key.String(), Connections: int(o.conns), Sessions: int(o.sessions),
			RateUp: perSecond(o.moved.up, interval), RateDown: perSecond(o.moved.down, interval),
			BytesUp: o.up, BytesDown: o.down, Held: o.isHeld,
		}
		if o.name > 0 {
			top[i].Name = t.names[o.name-1].name
		}
	}
	return top
}

// compare puts the busier one first.
func compare(a, b *entry[netip.Addr, talker]) int {
	return cmp.Or(
		cmp.Compare(b.value.moved.up+b.value.moved.down, a.value.moved.up+a.value.moved.down),
		cmp.Compare(b.value.up+b.value.down, a.value.up+a.value.down),
		a.key.Compare(b.key),
	)
}

// reset forgets all, for the next look.
func (t *talkers) reset() {
	clear(t.names) // they hold texts
	if t.names = t.names[:0]; cap(t.names) > 4*max(leastVast, len(t.all.entries)) {
		t.names = nil
	}
	t.all.empty()
}

// perSecond is a rate; without a time, none.
func perSecond(n uint64, in time.Duration) float64 {
	if in <= 0 {
		return 0
	}
	return float64(n) / in.Seconds()
}
