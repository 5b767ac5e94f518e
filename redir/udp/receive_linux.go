package udp

import (
	"golang.org/x/sys/unix"

	"sluice/loop"
	"sluice/redir/socket"
)

// receiver is an upstream socket that its owner receives from: a flow's, or a relay.
type receiver interface {
	socket() (fd int, state *reception)
	heard(now int64) // something has come
	take(slot int32) // which holds a message of it
}

// reception is what the owner of an upstream socket knows of it.
type reception struct {
	bulk   bool // receives in batches
	closed bool
}

// receiveFrom receives what s has. One that is not bulk mostly has one message, and is
// listed where there are calls to receive from all of those together; unless no edge
// has called it, since the list was served before.
func (w *Worker) receiveFrom(s receiver, ev loop.Events) {
	if _, state := s.socket(); state.bulk || ev == 0 || w.r.Calls() == nil {
		w.receive(s, false)
		return
	}
	w.toClient.listed = append(w.toClient.listed, s)
}

// receive receives what s has, of which one message may have been taken just before. It
// takes no more than a batch in a call, or two where the first found only a few slots
// free.
func (w *Worker) receive(s receiver, after bool) {
	q := &w.toClient
	fd, state := s.socket()
	for {
		first := q.used
		n, errno := q.slots.Recv(fd, first)
		if errno != 0 {
			return
		}
		q.used += n
		s.heard(w.r.Now())
		for i := first; i < first+n; i++ {
			s.take(int32(i))
		}
		if (n > 1 || after) && !state.bulk {
			state.bulk = true
			becomeBulk(fd)
		}
		if state.bulk {
			w.r.NotLone()
		}
		if q.used < q.slots.Len() {
			return
		}
		w.flushClient()
		if n > q.slots.Len()/2 {
			w.r.Again(fd)
			return
		}
	}
}

// becomeBulk spends two system calls on the socket of a flow that receives in
// batches, which most flows (a question and an answer) never need.
func becomeBulk(fd int) {
	socket.SetInt(fd, unix.SOL_UDP, unix.UDP_GRO, 1)
	socket.SetReceiveBuffer(fd, bulkBuffer)
}

// callsOfReceiver is how many makeCalls makes for each.
const callsOfReceiver = 2

// arrival is what calls have found of a receiver.
type arrival struct {
	came bool // a message
	more bool // there may be
}

// receiveListed receives from those that edges have listed, from as many at a time as
// there are slots for.
func (w *Worker) receiveListed() {
	q := &w.toClient
	for list := q.listed; len(list) > 0; {
		n := min(len(list), q.slots.Len()-q.used, w.r.Calls().MostCalls()/callsOfReceiver)
		w.receiveTogether(list[:n])
		list = list[n:]
	}
	clear(q.listed)
	q.listed = q.listed[:0]
}

// receiveTogether receives one message from each of list, for which there are slots, and
// then all from those that have more. Who has ended meanwhile has an open socket until
// the turn ends.
func (w *Worker) receiveTogether(list []receiver) {
	q, first := &w.toClient, w.toClient.used
	arrivals := q.makeCalls(w.r.Calls(), list)
	for i, s := range list {
		if _, state := s.socket(); arrivals[i].came && !state.closed {
			s.heard(w.r.Now())
			s.take(int32(first + i))
		}
	}
	if q.used == q.slots.Len() {
		w.flushClient()
	}
	for i, s := range list {
		if _, state := s.socket(); arrivals[i].more && !state.closed {
			w.receive(s, arrivals[i].came)
		}
	}
}

// makeCalls has each of list receive one message into a slot, and tell by another call
// whether there is more: what has come before an edge was reported makes no other one.
// To peek adds up to half of what a receive costs here, less than to receive again, and
// takes no slot (BenchmarkTogether in package loop); and a socket that has ended, or is
// a spare one, may not call for ever, as it would if its level counted. A slot that
// nothing has come to stays unused until the replies are sent. For one alone there is a
// cheaper way.
func (q *clientQueue) makeCalls(calls *loop.Calls, list []receiver) []arrival {
	arrivals := q.arrivals[:len(list)]
	if len(list) == 1 {
		arrivals[0] = arrival{more: true}
		return arrivals
	}
	for i, s := range list {
		fd, _ := s.socket()
		q.slots.Gather(calls, fd, q.used+i)
		calls.Recv(fd, q.peeked[:], unix.MSG_PEEK)
	}
	calls.Make()
	for i := range arrivals { // before any message is taken, which may make other calls
		came := q.slots.Gathered(calls, callsOfReceiver*i, q.used+i) == 0
		_, errno := calls.Result(callsOfReceiver*i + 1)
		arrivals[i] = arrival{came, errno != unix.EAGAIN}
	}
	q.used += len(list)
	return arrivals
}
