package load

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
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

// settle adds up what the flows know.
func (w *udpWorker) settle() {
	for _, f := range w.flows {
		w.settleFlow(f)
	}
}

func (w *udpWorker) settleFlow(f *udpFlow) {
	w.faults.Duplicate += f.track.Duplicate
	w.faults.Reordered += f.track.Reordered
	sent, got := f.next, f.track.Unique
	if st := f.stats; st != nil && w.Direction == Down {
		sent = st.Frames
		w.sent += sent
	} else if st != nil {
		got = st.Frames
		w.units += got
		w.faults.Duplicate += st.Duplicate
		w.faults.Reordered += st.Reordered
		w.faults.Corrupt += st.Corrupt
		w.faults.Mixed += st.Mixed
		w.jitter += st.Jitter
		w.jitterOf++
	} else if w.oneWay() {
		w.faults.fail(errNoReport)
	}
	if w.oneWay() && w.Direction == Down {
		w.jitter += f.jit.Value()
		w.jitterOf++
	}
	w.faults.Lost += sent - min(sent, got)
}

var errNoReport = errors.New("the server reported nothing of a flow")

// send sends up to n datagrams of a flow with one stamp; it returns how many went.
func (w *udpWorker) send(f *udpFlow, stamp int64, n int) int {
	total := 0
	for total < n {
		h := w.head
		h.Flow, h.Seq, h.Stamp = f.flow, f.next, stamp
		sent, err := w.tx.Send(f.sock, w.Target, netip.Addr{}, h, n-total)
		f.next += uint64(sent)
		total += sent
		if err != nil {
			w.faults.fail(err)
			w.progress.Faults.Add(1)
		}
		if err != nil || sent == 0 {
			break
		}
	}
	w.sent += uint64(total)
	w.bytesOut += uint64(total * w.Size)
	return total
}

// receive takes all that a flow's socket holds, and returns how many datagrams
// answered the flow for the first time.
func (w *udpWorker) receive(f *udpFlow) (fresh int) {
	for {
		n, err := w.rx.Receive(f.sock)
		if err != nil {
			w.faults.fail(err)
			return fresh
		}
		now := w.now()
		for i := range n {
			fresh += w.take(f, w.rx.Message(i), now)
		}
		if n < udpBatch {
			break
		}
	}
	if fresh > 0 {
		f.heard = w.now()
		w.progress.Units.Add(uint64(fresh))
	}
	return fresh
}

// take sorts the datagrams of one message.
func (w *udpWorker) take(f *udpFlow, m dgram.Message, now int64) (fresh int) {
	for data, first := m.Data, true; first || len(data) > 0; first = false {
		one := data
		if m.Segment > 0 {
			one = data[:min(m.Segment, len(data))]
		}
		data = data[len(one):]
		w.bytesIn += uint64(len(one))
		h, err := frame.Parse(one)
		switch {
		case m.From != w.Target:
			w.faults.WrongSource++
		case err != nil || m.Truncated:
			w.faults.Corrupt++
		case h.Flow != f.flow:
			w.faults.Mixed++
		case h.Kind == frame.Report:
			if st, err := frame.ParseStats(one[frame.HeaderSize:]); err == nil {
				f.stats = &st
			}
			continue
		case h.Kind == frame.Echo && h.Seq >= f.next:
			w.faults.Mixed++ // never sent
		case f.track.Arrive(h.Seq):
			w.arrived(f, h, now)
			fresh++
			continue
		default:
			continue // a duplicate; the tracker counted it
		}
		w.progress.Faults.Add(1)
	}
	return fresh
}

// arrived notes a datagram that is all that it should be.
func (w *udpWorker) arrived(f *udpFlow, h frame.Header, now int64) {
	w.units++
	if h.Kind == frame.Data {
		f.jit.Arrive(h.Stamp, now)
		return
	}
	w.latency.record(now - h.Stamp)
}
