package logging

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// queueLines is how many lines may wait for the journal: some seconds of the worst,
// a burst of every cause from every worker.
const queueLines = 1024

// tally counts lines, from any goroutine.
type tally struct{ written, lost atomic.Uint64 }

// queue takes lines from whoever must not wait, and sends them on its own goroutine.
type queue struct {
	lines  chan []byte
	send   func(line []byte) error // may wait for as long as it likes
	tally  *tally
	ending sync.Once
	end    chan struct{} // closed: nothing more is taken
	done   chan struct{} // closed: all of it is sent
}

func newQueue(tally *tally, send func([]byte) error) *queue {
	return &queue{
		lines: make(chan []byte, queueLines), send: send, tally: tally,
		end: make(chan struct{}), done: make(chan struct{}),
	}
}

// Write puts a copy of the line into the queue, if there is room.
func (q *queue) Write(line []byte) (int, error) {
	select {
	case q.lines <- slices.Clone(line):
	default:
		q.tally.lost.Add(1)
	}
	return len(line), nil
}

// run sends until close, and then what is there.
func (q *queue) run() {
	defer close(q.done)
	for {
		select {
		case line := <-q.lines:
			q.deliver(line)
		case <-q.end:
			for {
				select {
				case line := <-q.lines:
					q.deliver(line)
				default:
					return
				}
			}
		}
	}
}

func (q *queue) deliver(line []byte) {
	if q.send(line) != nil {
		q.tally.lost.Add(1)
		return
	}
	q.tally.written.Add(1)
}

// close lets run end, and waits for that, for a while.
func (q *queue) close(patience time.Duration) {
	q.ending.Do(func() { close(q.end) })
	select {
	case <-q.done:
	case <-time.After(patience):
	}
}
