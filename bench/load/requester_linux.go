package load

import (
	"errors"
	"sync"
	"time"

	"github.com/cloudwego/netpoll"

	"sluice/bench/frame"
)

// requester is one kept connection. netpoll calls answered for what arrives; the
// lock is held while a request is made and while an answer is taken.
type requester struct {
	*run
	mu      sync.Mutex
	tally   tally
	conn    netpoll.Connection
	slot    frame.Slot
	flow    uint64
	seq     uint64
	busy    bool    // a request is on its way
	waiting []int64 // due times of requests that wait for their turn (open loop)
	answers int     // how many came in time and right
	ended   bool    // broken, or the load is over: what comes now is no fault
	over    bool    // no more requests: the closed loop stops
	next    *time.Timer
}

// end stops the closed loop.
func (q *requester) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.over = true
	if q.next != nil {
		q.next.Stop()
	}
}

// pending tells whether an answer is still to come.
func (q *requester) pending() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return !q.ended && (q.busy || len(q.waiting) > 0)
}

// ask sends a request that was due at a time, or queues it behind the one on its way.
func (q *requester) ask(due int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.ended || q.over:
	case q.busy:
		q.waiting = append(q.waiting, due)
	default:
		q.send(due)
	}
}

// send writes a request; the lock is held.
func (q *requester) send(due int64) {
	b := q.slot.Put(frame.Header{Kind: frame.Request, Reply: uint32(q.Reply), Flow: q.flow, Seq: q.seq, Stamp: due})
	w := q.conn.Writer()
	_, err := w.WriteBinary(b)
	if err = errors.Join(err, w.Flush()); err != nil {
		q.fail(err)
		return
	}
	q.seq++
	q.busy = true
	q.tally.sent++
	q.tally.bytesOut += uint64(len(b))
}

// answered takes one response. netpoll calls it again while there is more.
func (q *requester) answered() error {
	r := q.conn.Reader()
	head, err := r.Peek(frame.HeaderSize)
	if err != nil {
		q.broken(err)
		return err
	}
	h, err := frame.ParseHeader(head)
	if err != nil || h.Size < frame.HeaderSize || int(h.Size) > frame.MaxStreamFrame {
		q.spoiled()
		return q.conn.Close()
	}
	b, err := r.Next(int(h.Size))
	if err != nil {
		q.broken(err)
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.take(b)
	return r.Release()
}

// take sorts a response and goes on; the lock is held.
func (q *requester) take(b []byte) {
	if q.ended {
		return
	}
	now := q.now()
	q.tally.bytesIn += uint64(len(b))
	h, err := frame.Parse(b)
	q.busy = false
	switch {
	case err != nil || h.Kind == frame.Refused || h.Kind != frame.Response:
		q.tally.faults.Corrupt++
		q.progress.Faults.Add(1)
	case h.Flow != q.flow:
		q.tally.faults.Mixed++
		q.progress.Faults.Add(1)
	case h.Seq+1 != q.seq:
		q.tally.faults.Duplicate++
		q.busy = true // the answer to the request on its way is still to come
		return
	case len(b) != max(q.Reply, frame.HeaderSize):
		q.tally.faults.Short++
	default:
		q.answers++
		if q.Test == TCPRR {
			q.tally.units++
			q.tally.latency.record(now - h.Stamp)
			q.progress.Units.Add(1)
		}
	}
	q.goOn(now)
}

// goOn sends what is next; the lock is held.
func (q *requester) goOn(now int64) {
	switch {
	case len(q.waiting) > 0:
		due := q.waiting[0]
		q.waiting = q.waiting[1:]
		q.send(due)
	case q.Test != TCPRR || q.Rate > 0 || q.over:
	case q.Think > 0:
		q.next = time.AfterFunc(q.Think, func() { q.ask(q.now()) })
	default:
		q.send(now)
	}
}

// spoiled ends a connection whose bytes are no frames.
func (q *requester) spoiled() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.tally.faults.Corrupt++
	q.ended = true
}

// broken notes a connection that failed before the load was over.
func (q *requester) broken(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.fail(err)
}

// fail is broken with the lock held.
func (q *requester) fail(err error) {
	if q.ended {
		return
	}
	q.ended = true
	q.tally.faults.fail(err)
	q.progress.Faults.Add(1)
}
