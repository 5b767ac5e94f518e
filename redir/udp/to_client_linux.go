package udp

import (
	"errors"

	"sluice/loop"
	"sluice/redir/count"
	"sluice/redir/socket"
)

// errOtherFamily says that a datagram has come from a remote as which nobody
// can write to the client.
var errOtherFamily = errors.New("the remote is of another address family than the client")

// errStranger says that a datagram has come to a forward's session from elsewhere
// than where the forward leads.
var errStranger = errors.New("the forward does not lead there")

// clientQueue holds the replies of this turn, grouped by the write-back socket
// that will send them.
type clientQueue struct {
	writeBacks
	slots    *loop.RecvBatch
	messages []loop.Received
	flows    []*flow // of each slot
	next     []int32
	used     int
	dirty    []*writeBack // those with something to send
}

func (q *clientQueue) init(w *Worker) (err error) {
	n := w.shared.batch
	q.writeBacks.init(w)
	q.slots, err = loop.NewRecvBatch(n)
	q.messages = make([]loop.Received, n)
	q.flows = make([]*flow, n)
	q.next = make([]int32, n)
	q.dirty = make([]*writeBack, 0, n)
	return err
}

func (q *clientQueue) close() {
	q.writeBacks.closeAll()
	q.slots.Close()
}

func (q *clientQueue) append(b *writeBack, slot int32) {
	q.next[slot] = none
	if b.head == none {
		b.head = slot
		q.dirty = append(q.dirty, b)
	} else {
		q.next[b.tail] = slot
	}
	b.tail = slot
}

// Ready receives what remotes wrote to the flow, on its owner's thread. It
// takes no more than a batch in a call, or two where the first found only a few
// slots free.
func (f *flow) Ready(ev loop.Events) {
	w := f.owner
	if f.closed || w.closed {
		return
	}
	if ev&loop.Error != 0 {
		w.icmp.passOn(f)
		socket.TakeError(f.fd) // reading it clears it
		if f.closed {
			return // it was a forward's, which leads elsewhere too
		}
	}
	q := &w.toClient
	for {
		first := q.used
		n, errno := q.slots.Recv(f.fd, first)
		if errno != 0 {
			return
		}
		q.used += n
		f.entry.TouchReply(w.r.Now())
		for i := first; i < q.used; i++ {
			w.takeFromUpstream(f, int32(i))
		}
		if n > 1 && !f.bulk {
			f.becomeBulk()
		}
		if f.bulk {
			w.r.NotLone()
		}
		if q.used < q.slots.Len() {
			return
		}
		w.flushClient()
		if n > q.slots.Len()/2 {
			w.r.Again(f.fd)
			return
		}
	}
}

// takeFromUpstream puts what slot has received into the queue of the write-back
// socket of the remote's port.
func (w *Worker) takeFromUpstream(f *flow, slot int32) {
	q := &w.toClient
	m := &q.messages[slot]
	q.slots.Message(int(slot), m)
	if m.Truncated {
		w.counters.Add(count.DroppedTruncated, 1)
		return
	}
	if from := m.Source; !f.known(m) {
		w.dropped(count.DroppedStranger, m.Datagrams(), f.client(), from, errStranger)
		return
	}
	if m.Source.Addr().Is4() != f.client().Addr().Is4() {
		w.dropped(count.DroppedWriteBack, 1, f.client(), m.Source, errOtherFamily)
		return
	}
	if m.Source.Port() == 0 { // nobody can be answered there, and a socket bound to it gets another port
		w.counters.Add(count.RefusedPortZero, 1)
		return
	}
	b, err := q.writeBacks.get(m.Source, w.icmp.narrow.has(f.client().Addr(), w.r.Now()))
	if err != nil {
		w.dropped(count.DroppedWriteBack, 1, f.client(), m.Source, err)
		return
	}
	q.flows[slot] = f
	q.append(b, slot)
}

// flushClient sends the replies, those of each write-back socket by one system
// call.
func (w *Worker) flushClient() {
	q := &w.toClient
	for i, b := range q.dirty {
		w.flushBack(b)
		q.dirty[i] = nil
	}
	q.dirty = q.dirty[:0]
	clear(q.flows[:q.used])
	q.used = 0
}

// flushBack sends and counts the replies that wait for b.
func (w *Worker) flushBack(b *writeBack) {
	if b.head == none {
		return // closed since
	}
	sent := w.sendBack(b)
	b.head = none
	w.toClient.writeBacks.use(b)
	if sent.Datagrams > 0 {
		w.counters.Add(count.DatagramsToClient, uint64(sent.Datagrams))
		w.counters.Add(count.UDPBytesToClient, uint64(sent.Bytes))
	}
}

// sendBack sends the replies that wait for b.
func (w *Worker) sendBack(b *writeBack) (total loop.SendResult) {
	q := &w.toClient
	var e loop.Envelope
	var last *flow
	for slot := b.head; slot != none; slot = q.next[slot] {
		m, f := &q.messages[slot], q.flows[slot]
		if f != last {
			last = f
			e.Dest, e.DestScope = f.client(), f.scope
		}
		e.Source, e.SourceScope = m.Source.Addr(), m.SourceScope
		if b.raw {
			w.pushRaw(b, &e, m, &total)
			continue
		}
		rest, whole := w.out.Push(&e, m.Payload, m.Segment, &b.gso)
		for !whole {
			w.sendBackNow(b, &total)
			rest, whole = w.out.Push(&e, rest, m.Segment, &b.gso)
		}
	}
	w.sendBackNow(b, &total)
	return total
}

func (w *Worker) sendBackNow(b *writeBack, total *loop.SendResult) {
	sent := w.out.Send(b.fd, &b.gso)
	total.Datagrams += sent.Datagrams
	total.Bytes += sent.Bytes
	if sent.Dropped > 0 {
		w.dropped(count.DroppedWriteBack, sent.Dropped, sent.Failed.Dest, b.from(sent.Failed.Source), sent.Errno)
	}
}
