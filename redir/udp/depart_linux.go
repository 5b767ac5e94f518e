package udp

import (
	"sluice/loop"
	"sluice/redir/count"
)

// departing is what leaves by one socket: of a flow's group, of a relay, of a sender.
type departing interface {
	// sent hears what has become of it.
	sent(w *Worker, result *loop.SendResult)
}

// tally is what was sent one way.
type tally struct{ datagrams, bytes int }

func (t *tally) add(sent *loop.SendResult) {
	t.datagrams += sent.Datagrams
	t.bytes += sent.Bytes
}

// depart has what was pushed to the batch, since the last call of it, leave by fd with
// the next send.
func (w *Worker) depart(d departing, fd int, gso *loop.GSO) {
	w.out.Seal(fd, gso)
	w.leaving = append(w.leaving, d)
}

// send sends all that departs, and counts it.
func (w *Worker) send() {
	if len(w.leaving) == 0 {
		return
	}
	w.out.SendSealed(w.r.Calls()) // there are none any more when the reactor has ended
	for i, d := range w.leaving {
		d.sent(w, w.out.Sent(i))
		w.leaving[i] = nil
	}
	w.leaving = w.leaving[:0]
	w.countSent(&w.sentUp, count.DatagramsToUpstream, count.UDPBytesToUpstream)
	w.countSent(&w.sentDown, count.DatagramsToClient, count.UDPBytesToClient)
}

func (w *Worker) countSent(t *tally, datagrams, bytes count.Counter) {
	if t.datagrams > 0 {
		w.counters.Add(datagrams, uint64(t.datagrams))
		w.counters.Add(bytes, uint64(t.bytes))
	}
	*t = tally{}
}
