package udp

import (
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"sluice/loop"
	"sluice/nat"
	"sluice/redir/count"
	"sluice/redir/icmp"
	"sluice/redir/inbound"
	"sluice/redir/proxyproto"
	"sluice/redir/socket"
)

// none ends a chain of slots.
const none = -1

// upstreamQueue holds what clients sent in this turn, grouped by flow, or by
// outlet, so that what leaves by one socket does so by one system call, in its
// order.
type upstreamQueue struct {
	slots    *loop.RecvBatch
	messages []loop.Received // of each slot
	next     []int32         // of each slot: the next one of its group
	used     int             // slots

	groups  []flowGroup
	groupOf []int32 // by the flow's id: the group that it probably has

	prefaces [][proxyproto.MostV2]byte // of each slot: its PROXY or SOCKS5 header, where it has one

	outlets senders

	// What the last datagram of this turn was found to be: runs of datagrams
	// are alike.
	lastDest   netip.AddrPort
	lastDestIn *inbound.Inbound
	lastDestOf netip.AddrPort // who wrote there; means nothing where there are no rules
	last       choice
	lastIn     *inbound.Inbound
	lastSource netip.AddrPort
	lastScope  uint32
	lastEntry  *nat.Entry[*flow]
}

// flowGroup is a chain of slots that one flow's socket, or relay, will send.
type flowGroup struct {
	entry      *nat.Entry[*flow]
	head, tail int32
}

func (q *upstreamQueue) init(w *Worker) (err error) {
	n := w.shared.batch
	q.outlets.init(w, senderUse{&w.shared.outlets, &w.sentUp, w.pushOut, w.lostOut, count.OutletFallback})
	q.slots, err = loop.NewRecvBatch(n)
	q.messages = make([]loop.Received, n)
	q.next = make([]int32, n)
	q.prefaces = make([][proxyproto.MostV2]byte, n)
	q.groups = make([]flowGroup, 0, n)
	size := 1
	for size < 2*n {
		size *= 2
	}
	q.groupOf = make([]int32, size)
	return err
}

func (q *upstreamQueue) close() {
	q.outlets.closeAll()
	q.slots.Close()
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

// choose finds what is to become of m, for those that follow and are like it.
func (q *upstreamQueue) choose(w *Worker, in *inbound.Inbound, m *loop.Received) {
	q.lastDest, q.lastDestIn, q.lastDestOf = m.Dest, in, m.Source
	q.last = w.choose(in, m)
}

// flushUpstream sends what clients sent, and has the slots free again.
func (w *Worker) flushUpstream() {
	w.departUpstream()
	w.send()
	w.toUpstream.reset()
}

// departUpstream has what clients sent leave with the next send.
func (w *Worker) departUpstream() {
	q := &w.toUpstream
	for i := range q.groups {
		w.departGroup(&q.groups[i])
	}
	q.outlets.departAll()
}

func (w *Worker) departGroup(g *flowGroup) {
	q, f := &w.toUpstream, g.entry.Value
	if f.there != nil {
		w.departAssociated(g)
		return
	}
	var to loop.Envelope
	for slot := g.head; slot != none; slot = q.next[slot] {
		m := &q.messages[slot]
		to.Dest, to.DestScope = f.sentTo(m)
		to.TOS = m.TOS
		preface := q.preface(slot, f.told)
		rest, whole := w.push(&to, preface, m.Payload, m.Segment, &f.gso)
		for !whole {
			w.depart(g, int(f.fd), &f.gso)
			w.send()
			rest, whole = w.push(&to, preface, rest, m.Segment, &f.gso)
		}
	}
	w.depart(g, int(f.fd), &f.gso)
}

// sent implements departing.
func (g *flowGroup) sent(w *Worker, result *loop.SendResult) {
	f := g.entry.Value
	w.sentUp.add(result)
	if result.Dropped > 0 {
		w.lostUpstream(g.entry, result)
	}
	if result.Bytes >= bulkTurn && f.wide.CompareAndSwap(false, true) {
		socket.SetSendBuffer(int(f.fd), bulkBuffer)
	}
}

// lostUpstream counts what could not be sent, and does what the cause asks for.
func (w *Worker) lostUpstream(e *nat.Entry[*flow], sent *loop.SendResult) {
	f := e.Value
	w.dropped(count.DroppedSend, sent.Dropped, f.client(), sent.Failed.Dest, sent.Errno)
	if sent.Errno == unix.EAGAIN && !f.hasPort() {
		w.evictOne()
	}
	if !isUnreachable(sent.Errno) {
		return
	}
	if w.set.ICMP {
		w.icmp.tellOf(f, sent.Failed.Dest, icmp.Unreachable(!f.client().Addr().Is4()), nil)
	}
	w.failed(e)
}

// isUnreachable reports whether a send failed since the gateway has no way there.
func isUnreachable(errno syscall.Errno) bool {
	return errno == unix.ENETUNREACH || errno == unix.EHOSTUNREACH
}
