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
	writeBacks senders
	slots      *loop.RecvBatch
	messages   []loop.Received // of each slot, and of parts of what slots hold; Dest is the client
	next       []int32
	used       int // slots
	parts      int
	listed     []receiver // that edges of this turn have called
	arrivals   []arrival  // scratch of makeCalls
	peeked     [1]byte    // likewise
}

func (q *clientQueue) init(w *Worker) (err error) {
	n := w.shared.batch
	q.writeBacks.init(w, senderUse{&w.shared.writeBacks, &w.sentDown, w.pushReplies, w.lostBack, count.WriteBackFallback})
	q.slots, err = loop.NewRecvBatch(n)
	q.messages = make([]loop.Received, 2*n)
	q.next = make([]int32, 2*n)
	q.listed = make([]receiver, 0, n)
	q.arrivals = make([]arrival, n)
	return err
}

func (q *clientQueue) close() {
	q.writeBacks.closeAll()
	q.slots.Close()
}

// Ready receives what remotes wrote to the flow, on its owner's thread.
func (f *flow) Ready(ev loop.Events) {
	w := f.owner
	if f.closed || w.closed {
		return
	}
	if ev&loop.Error != 0 {
		w.icmp.passOn(f)
		socket.TakeError(int(f.fd)) // reading it clears it
		if f.closed {
			return // it was a forward's, which leads elsewhere too
		}
	}
	w.receiveFrom(f, ev)
}

func (f *flow) socket() (int, *reception) { return int(f.fd), &f.reception }

// heard implements receiver.
func (f *flow) heard(now int64) { f.entry.TouchReply(now) }

// take implements receiver.
func (f *flow) take(slot int32) {
	q := &f.owner.toClient
	m := &q.messages[slot]
	q.slots.Message(int(slot), m)
	m.Dest, m.DestScope = f.client(), f.scope
	f.owner.takeFromUpstream(f, slot)
}

// takeFromUpstream puts what slot has received, for the client that is its Dest,
// into the queue of the write-back socket of the remote's port. f is its flow; nil
// where another process has that.
func (w *Worker) takeFromUpstream(f *flow, slot int32) {
	q := &w.toClient
	m := &q.messages[slot]
	if m.Truncated {
		w.counters.Add(count.DroppedTruncated, 1)
		return
	}
	if from := m.Source; f != nil && !f.known(m) {
		w.dropped(count.DroppedStranger, m.Datagrams(), m.Dest, from, errStranger)
		return
	}
	remote, client := m.Source.Addr(), m.Dest.Addr()
	if remote.Is4() != client.Is4() {
		w.dropped(count.DroppedWriteBack, 1, m.Dest, m.Source, errOtherFamily)
		return
	}
	if m.Source.Port() == 0 { // nobody can be answered there, and a socket bound to it gets another port
		w.counters.Add(count.RefusedPortZero, 1)
		return
	}
	if f != nil {
		if s := w.shared.shaper(f); s != nil && !w.police(&s.Down, m) {
			return
		}
	}
	b, err := q.writeBacks.get(senderKey{
		port: m.Source.Port(), v6: !remote.Is4(), narrow: w.mustCut(client, m.Segment),
	})
	if err != nil {
		w.dropped(count.DroppedWriteBack, 1, m.Dest, m.Source, err)
		return
	}
	if f != nil {
		f.down.add(m)
	}
	q.writeBacks.append(b, q.next, slot)
}

// part is the place of a message that is a part of what a slot holds, behind those
// of slots. Where there is none left, what is queued is sent.
func (q *clientQueue) part(w *Worker) int32 {
	if n := q.slots.Len(); q.parts == n {
		w.sendReplies()
	}
	q.parts++
	return int32(q.slots.Len() + q.parts - 1)
}

// flushClient sends the replies, and has the slots free again.
func (w *Worker) flushClient() {
	w.sendReplies()
	w.toClient.used = 0
}

// sendReplies sends those that are queued.
func (w *Worker) sendReplies() {
	w.toClient.writeBacks.departAll()
	w.send()
	w.toClient.parts = 0
}

// pushReplies adds those that wait for b.
func (w *Worker) pushReplies(b *sender) {
	q := &w.toClient
	var e loop.Envelope
	for slot := b.head; slot != none; slot = q.next[slot] {
		m := &q.messages[slot]
		e.Dest, e.DestScope = m.Dest, m.DestScope
		e.Source, e.SourceScope, e.TOS = m.Source.Addr(), m.SourceScope, m.TOS
		q.writeBacks.push(b, &e, nil, m)
	}
}

// lostBack counts replies that could not be sent.
func (w *Worker) lostBack(b *sender, sent *loop.SendResult) {
	w.dropped(count.DroppedWriteBack, sent.Dropped, sent.Failed.Dest, b.from(sent.Failed.Source), sent.Errno)
}
