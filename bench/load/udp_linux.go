package load

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"sluice/bench/dgram"
	"sluice/bench/frame"
	"sluice/bench/volley"
)

const (
	// udpBatch is how many messages one call receives.
	udpBatch = 32
	// udpRoom is the room for each message: the greatest run, in bytes.
	udpRoom = 1 << 16
	// udpBuffer is the kernel buffers of all UDP sockets of a load together, and
	// udpBufferMin of one; in bytes.
	udpBuffer    = 64 << 20
	udpBufferMin = 256 << 10
	// volleyMax is how many datagrams one call sends.
	volleyMax = 4 * dgram.MaxSegments
	// idleWait bounds one wait of a worker, so that it sees deadlines.
	idleWait = 10 * time.Millisecond
)

// udpFlow is one socket. Its worker owns it.
type udpFlow struct {
	sock  dgram.Socket
	flow  uint64
	next  uint64 // seq of the next datagram to send
	out   int    // in flight, as far as the closed loop knows
	heard int64  // when it last sent or received, on run.now
	track frame.Tracker
	jit   frame.Jitter
	stats *frame.Stats // the server's report, once it came
}

// udpWorker drives some flows from one locked thread.
type udpWorker struct {
	*run
	tally
	flows  []*udpFlow
	wait   *waiter
	rx     *dgram.Receiver
	tx     *volley.Volley
	head   frame.Header // what every datagram of this load has in its header
	opened int          // flows ever opened by this worker; numbers the next
	index  int          // of this worker
	stop   int64        // when the load's Duration is over, on run.now
}

// udp runs a UDP load on its threads, and returns how long it sent.
func (r *run) udp(ctx context.Context) (time.Duration, error) {
	var workers []*udpWorker
	defer func() {
		for _, w := range workers {
			w.close()
		}
	}()
	for i := range r.Threads {
		w, err := r.newUDPWorker(i)
		if w != nil {
			workers = append(workers, w)
		}
		if err != nil {
			return 0, err
		}
	}
	begin := r.now()
	var running sync.WaitGroup
	for _, w := range workers {
		w.stop = begin + int64(r.Duration)
		running.Go(func() {
			runtime.LockOSThread() // for the timer slack, and so that threads are what they are named; ends with the thread
			w.drive(ctx, begin)
			r.add(&w.tally)
		})
	}
	running.Wait()
	return min(r.Duration, time.Duration(r.now()-begin)), nil
}

func (r *run) newUDPWorker(index int) (*udpWorker, error) {
	w := &udpWorker{run: r, index: index, rx: dgram.NewReceiver(udpBatch, udpRoom),
		tx: volley.New(max(1, min(volleyMax, 8<<20/r.Size)), r.Size, !r.Single)}
	var err error
	if w.wait, err = newWaiter(); err != nil {
		return nil, err
	}
	w.head.Kind = frame.Echo
	if r.oneWay() {
		w.head.Kind = frame.Sink
	}
	for i := index; i < r.Flows; i += r.Threads {
		f := &udpFlow{}
		if err := w.open(f); err != nil {
			return w, err
		}
		w.flows = append(w.flows, f)
		if err := w.wait.add(f.sock.FD, int32(len(w.flows)-1)); err != nil {
			return w, err
		}
	}
	return w, nil
}

// open gives a flow a socket and a number.
func (w *udpWorker) open(f *udpFlow) error {
	n := w.index + w.opened*w.Threads
	w.opened++
	*f = udpFlow{flow: w.flow(n), heard: w.now()}
	err := w.Enter(func() (err error) {
		f.sock, err = dgram.Open(dgram.Config{Local: w.source(n), GRO: true,
			BufferSize: max(udpBufferMin, udpBuffer/w.Flows)})
		return err
	})
	if err != nil {
		f.sock.FD = -1
		return fmt.Errorf("flow %d of %d: %w", n+1, w.Flows, err)
	}
	return nil
}

func (w *udpWorker) close() {
	for _, f := range w.flows {
		if f.sock.FD >= 0 {
			_ = f.sock.Close()
		}
	}
	w.wait.close()
}

// drive runs the worker's part of the load.
func (w *udpWorker) drive(ctx context.Context, begin int64) {
	switch {
	case w.Test == UDPChurn:
		w.churn(ctx)
	case w.oneWay() && w.Direction == Down:
		w.pull(ctx)
	case w.oneWay():
		w.push(ctx, begin)
	case w.Rate > 0:
		w.openLoop(ctx, begin)
	default:
		w.closedLoop(ctx)
	}
	w.settle()
}
