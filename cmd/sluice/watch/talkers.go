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
	index map[netip.Addr]int32 // into all
	all   []talker
	names []named
	room  room
}

// talker is an address, and what the flows have in common that have it.
type talker struct {
	address         netip.Addr
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

func newTalkers() talkers { return talkers{index: map[netip.Addr]int32{}} }

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
	a = a.Unmap()
	i, ok := t.index[a]
	if !ok {
		i = int32(len(t.all))
		t.index[a] = i
		t.all = append(t.all, talker{address: a})
	}
	return &t.all[i]
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
	var first []*talker
	for i := range t.all {
		o := &t.all[i]
		if len(first) == n && (n == 0 || compare(o, first[n-1]) > 0) || !o.address.IsValid() {
			continue
		}
		if len(first) == n {
			first = first[:n-1]
		}
		at, _ := slices.BinarySearchFunc(first, o, compare)
		first = slices.Insert(first, at, o)
	}
	top := make([]api.Talker, len(first))
	for i, o := range first {
		top[i] = api.Talker{
			Address: o.address.String(), Connections: int(o.conns), Sessions: int(o.sessions),
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
func compare(a, b *talker) int {
	return cmp.Or(
		cmp.Compare(b.moved.up+b.moved.down, a.moved.up+a.moved.down),
		cmp.Compare(b.up+b.down, a.up+a.down),
		a.address.Compare(b.address),
	)
}

// reset forgets all, for the next look.
func (t *talkers) reset() {
	clear(t.names) // they hold texts
	t.names = t.names[:0]
	t.room.use(len(t.all))
	if t.room.isVast(len(t.all)) {
		t.index, t.all, t.names = map[netip.Addr]int32{}, nil, nil
		return
	}
	clear(t.index)
	clear(t.all)
	t.all = t.all[:0]
}

// perSecond is a rate; without a time, none.
func perSecond(n uint64, in time.Duration) float64 {
	if in <= 0 {
		return 0
	}
	return float64(n) / in.Seconds()
}
