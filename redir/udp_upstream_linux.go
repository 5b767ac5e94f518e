package redir

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"sluice/loop"
	"sluice/nat"
)

// none ends a chain of slots.
const none = -1

// upstreamQueue holds what clients sent in this turn, grouped by flow so that
// each flow's datagrams leave by one system call, in their order.
type upstreamQueue struct {
	slots    *loop.RecvBatch
	messages []loop.Received // of each slot
	next     []int32         // of each slot: the next one of its group
	used     int             // slots

	groups  []flowGroup
	groupOf []int32 // by the flow's id: the group that it probably has

	// What the last datagram of this turn was found to be: runs of datagrams
	// are alike.
	lastDest    netip.AddrPort
	lastVerdict Counter
	lastIn      *inbound
	lastSource  netip.AddrPort
	lastScope   uint32
	lastEntry   *nat.Entry[*flow]
}

// flowGroup is a chain of slots that one flow's socket will send.
type flowGroup struct {
	entry      *nat.Entry[*flow]
	head, tail int32
}

func (q *upstreamQueue) init(n int) (err error) {
	q.slots, err = loop.NewRecvBatch(n)
	q.messages = make([]loop.Received, n)
	q.next = make([]int32, n)
	q.groups = make([]flowGroup, 0, n)
	size := 1
	for size < 2*n {
		size *= 2
	}
	q.groupOf = make([]int32, size)
	return err
}

// append adds a slot to its flow's group. A flow whose place in groupOf was
// taken by another gets a second group, which is sent after the first.
func (q *upstreamQueue) append(e *nat.Entry[*flow], slot int32) {
	place := &q.groupOf[int(e.Value.id)&(len(q.groupOf)-1)]
	q.next[slot] = none
	if g := int(*place); g < len(q.groups) && q.groups[g].entry == e {
		q.next[q.groups[g].tail] = slot
		q.groups[g].tail = slot
		return
	}
	*place = int32(len(q.groups))
	q.groups = append(q.groups, flowGroup{e, slot, slot})
}

// reset forgets all that was in the slots.
func (q *upstreamQueue) reset() {
	clear(q.groups)
	q.groups = q.groups[:0]
	q.used = 0
	q.lastDest, q.lastEntry = netip.AddrPort{}, nil
}

// Ready receives what the listener has. A full batch is sent at once, and the
// rest waits for the next turn.
func (l *udpListener) Ready(loop.Events) {
	if l.fd < 0 {
		return
	}
	r := l.relay
	q := &r.toUpstream
	first := q.used
	n, errno := q.slots.Recv(l.fd, first)
	if errno != 0 {
		return
	}
	q.used += n
	for i := first; i < q.used; i++ {
		q.slots.Message(i, &q.messages[i])
		r.takeFromClient(l.in, int32(i))
	}
	if q.used == q.slots.Len() {
		r.flushUpstream()
		r.w.r.Again(l)
	}
}

// takeFromClient admits what slot has received and puts it into its flow's
// group.
func (r *udpRelay) takeFromClient(in *inbound, slot int32) {
	q := &r.toUpstream
	m := &q.messages[slot]
	switch {
	case m.Truncated:
		r.w.counters.add(DroppedTruncated, 1)
	case !m.Dest.IsValid():
		r.w.counters.add(DroppedNoDest, 1)
	case m.Source.Port() == 0:
		r.refuse(RefusedPortZero, in, m)
	default:
		if m.Dest != q.lastDest {
			q.lastDest, q.lastVerdict = m.Dest, r.w.admission.check(m.Dest)
		}
		if q.lastVerdict != 0 {
			r.refuse(q.lastVerdict, in, m)
		} else if e := r.entryOf(in, m); e != nil {
			q.append(e, slot)
		}
	}
}

func (r *udpRelay) refuse(cause Counter, in *inbound, m *loop.Received) {
	r.w.counters.add(cause, 1)
	if e := r.w.log.warn(cause, r.w.r.Now()); e != nil { // the arguments would be allocated also for nil
		e.Str("inbound", in.Tag).Stringer("client", m.Source).Stringer("dest", m.Dest).Msg("datagram refused")
	}
}

// entryOf returns the client's flow, which it opens if there is none; nil when
// that fails.
func (r *udpRelay) entryOf(in *inbound, m *loop.Received) *nat.Entry[*flow] {
	q := &r.toUpstream
	if q.lastEntry != nil && m.Source == q.lastSource && in == q.lastIn && m.SourceScope == q.lastScope {
		return q.lastEntry
	}
	key := nat.KeyOf(m.Source, m.SourceScope, in.id)
	e := r.w.flows.Lookup(key)
	if e != nil {
		// At once, and before it is used: an entry that expires in this turn
		// would take the reply with it.
		e.Touch(r.w.r.Now())
	}
	if e == nil || e.Removed() {
		if e = r.open(key, in, m); e == nil {
			return nil
		}
	}
	q.lastIn, q.lastSource, q.lastScope, q.lastEntry = in, m.Source, m.SourceScope, e
	return e
}

// flushUpstream sends what clients sent.
func (r *udpRelay) flushUpstream() {
	q := &r.toUpstream
	var datagrams, bytes int
	for i := range q.groups {
		g := &q.groups[i]
		sent := r.sendUpstream(g)
		datagrams += sent.Datagrams
		bytes += sent.Bytes
	}
	if datagrams > 0 {
		r.w.counters.add(DatagramsToUpstream, uint64(datagrams))
		r.w.counters.add(UDPBytesToUpstream, uint64(bytes))
	}
	q.reset()
}

// sendUpstream sends a group through its flow's socket.
func (r *udpRelay) sendUpstream(g *flowGroup) (total loop.SendResult) {
	q, f := &r.toUpstream, g.entry.Value
	var to loop.Envelope
	for slot := g.head; slot != none; slot = q.next[slot] {
		m := &q.messages[slot]
		to.Dest, to.DestScope = m.Dest, m.DestScope
		rest, whole := r.out.Push(&to, m.Payload, m.Segment, &f.gso)
		for !whole {
			r.sendOut(f, &total)
			rest, whole = r.out.Push(&to, rest, m.Segment, &f.gso)
		}
	}
	r.sendOut(f, &total)
	if total.Bytes >= bulkTurn && f.wide.CompareAndSwap(false, true) {
		setBuffer(f.fd, unix.SO_SNDBUFFORCE, unix.SO_SNDBUF, bulkBuffer)
	}
	return total
}

// sendOut sends what was pushed, and adds what became of it to total.
func (r *udpRelay) sendOut(f *flow, total *loop.SendResult) {
	sent := r.out.Send(f.fd, &f.gso)
	total.Datagrams += sent.Datagrams
	total.Bytes += sent.Bytes
	if sent.Dropped > 0 {
		r.dropped(DroppedSend, sent.Dropped, f.client(), sent.Failed.Dest, sent.Errno)
		if sent.Errno == unix.EAGAIN && !f.hasPort() {
			r.evictOne()
		}
	}
}
