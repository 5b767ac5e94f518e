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
	dirty      []*sender // those with something to send
}

func (q *clientQueue) init(w *Worker) (err error) {
	n := w.shared.batch
	q.writeBacks.init(w, senderUse{&w.shared.writeBacks, w.flushBack, w.lostBack, count.WriteBackFallback})
	q.slots, err = loop.NewRecvBatch(n)
	q.messages = make([]loop.Received, 2*n)
	q.next = make([]int32, 2*n)
	q.dirty = make([]*sender, 0, n)
	return err
}

func (q *clientQueue) close() {
	q.writeBacks.closeAll()
	q.slots.Close()
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
		socket.TakeError(int(f.fd)) // reading it clears it
		if f.closed {
			return // it was a forward's, which leads elsewhere too
		}
	}
	q := &w.toClient
	for {
		first := q.used
		n, errno := q.slots.Recv(int(f.fd), first)
		if errno != 0 {
			return
		}
		q.used += n
		f.entry.TouchReply(w.r.Now())
		client := f.client()
		for i := first; i < q.used; i++ {
			m := &q.messages[i]
			q.slots.Message(i, m)
			m.Dest, m.DestScope = client, f.scope
			w.takeFromUpstream(f, int32(i))
		}
		if n > 1 && !f.bulk {
			f.bulk = true
			becomeBulk(int(f.fd))
		}
		if f.bulk {
			w.r.NotLone()
		}
		if q.used < q.slots.Len() {
			return
		}
		w.flushClient()
		if n > q.slots.Len()/2 {
			w.r.Again(int(f.fd))
			return
		}
	}
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
	if b.append(q.next, slot) {
		q.dirty = append(q.dirty, b)
	}
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

// sendReplies sends those of each write-back socket by one system call.
func (w *Worker) sendReplies() {
	q := &w.toClient
	for i, b := range q.dirty {
		w.flushBack(b)
		q.dirty[i] = nil
	}
	q.dirty = q.dirty[:0]
	q.parts = 0
}

// flushBack sends and counts the replies that wait for b.
func (w *Worker) flushBack(b *sender) {
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
func (w *Worker) sendBack(b *sender) (total loop.SendResult) {
	q := &w.toClient
	var e loop.Envelope
	for slot := b.head; slot != none; slot = q.next[slot] {
		m := &q.messages[slot]
		e.Dest, e.DestScope = m.Dest, m.DestScope
		e.Source, e.SourceScope, e.TOS = m.Source.Addr(), m.SourceScope, m.TOS
		q.writeBacks.push(b, &e, nil, m, &total)
	}
	q.writeBacks.send(b, &total)
	return total
}

// lostBack counts replies that could not be sent.
func (w *Worker) lostBack(b *sender, sent loop.SendResult) {
	w.dropped(count.DroppedWriteBack, sent.Dropped, sent.Failed.Dest, b.from(sent.Failed.Source), sent.Errno)
}
