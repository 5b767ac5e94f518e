package load

import (
	"context"
	"time"
)

// closedLoop keeps a window of datagrams in flight on every flow: each answer lets
// the next go.
func (w *udpWorker) closedLoop(ctx context.Context) {
	for _, f := range w.flows {
		f.out = w.send(f, w.now(), w.Window)
		w.poll(0)
	}
	for scan := w.now(); w.now() < w.stop && ctx.Err() == nil; {
		w.poll(idleWait)
		if now := w.now(); now-scan > int64(idleWait) {
			w.refill(now)
			scan = now
		}
	}
	w.drain(ctx)
}

// poll waits for answers and, in the closed loop, sends what they free.
func (w *udpWorker) poll(d time.Duration) {
	for _, ev := range w.wait.wait(d) {
		f := w.flows[ev.Fd]
		fresh := w.receive(f)
		if fresh == 0 || w.Rate > 0 {
			continue
		}
		f.out = max(0, f.out-fresh)
		if now := w.now(); now < w.stop {
			f.out += w.send(f, now, min(fresh, w.Window-f.out))
		}
	}
}

// refill gives up on what was not answered in time, so that a flow goes on; the
// count of the lost comes at the end, when nothing can be late any more.
func (w *udpWorker) refill(now int64) {
	for _, f := range w.flows {
		if f.out < w.Window && f.out > 0 && now-f.heard <= int64(w.Timeout) {
			continue
		}
		if f.out == 0 || now-f.heard > int64(w.Timeout) {
			f.heard = now
			f.out = w.send(f, now, w.Window)
		}
	}
}

// drain waits for late answers until all came or the timeout is over.
func (w *udpWorker) drain(ctx context.Context) {
	for end := w.now() + int64(w.Timeout); w.now() < end && ctx.Err() == nil; {
		missing := false
		for _, f := range w.flows {
			missing = missing || f.track.Unique < f.next
		}
		if !missing {
			return
		}
		w.poll(idleWait)
	}
}

// openBatch is how many datagrams an open loop sends before it looks for answers and
// at the clock: where it cannot keep its rate, more come due than it can ever send.
const openBatch = 64

// openLoop sends at a rate, whatever comes back; the flows take turns. Latency
// counts from when a datagram was due; one that was due and never went is lost.
func (w *udpWorker) openLoop(ctx context.Context, begin int64) {
	p := newPace(w.Rate / float64(w.Threads))
	for turn, over := 0, false; !over && ctx.Err() == nil; {
		now := w.now()
		over = now >= w.stop // what came due since the last turn still goes
		for range min(openBatch, p.ready(min(now, w.stop-1)-begin)) {
			f := w.flows[turn%len(w.flows)]
			if w.send(f, begin+p.due(p.next), 1) == 0 {
				break // no room; it stays due
			}
			turn++
			p.next++
		}
		if !over {
			w.poll(min(idleWait, p.wait(w.now()-begin)))
		}
	}
	w.faults.Lost += p.late(min(w.now(), w.stop) - begin)
	w.drain(ctx)
}

// churn asks once from each socket and then takes a new one: every datagram makes a
// new flow for the proxy. Rate 0: as fast as the answers come.
func (w *udpWorker) churn(ctx context.Context) {
	p := newPace(w.Rate / float64(w.Threads))
	begin := w.now()
	due := func(now int64) bool {
		if w.Rate == 0 {
			return w.now() < w.stop
		}
		if p.ready(now-begin) == 0 {
			return false
		}
		p.next++
		return true
	}
	for over := false; !over && ctx.Err() == nil; {
		now := w.now()
		over = now >= w.stop // what came due since the last turn still goes
		now = min(now, w.stop-1)
		waiting := 0
		for i, f := range w.flows {
			done := f.track.Unique > 0 || f.next > 0 && now-f.heard > int64(w.Timeout)
			if f.next > 0 && !done {
				waiting++
				continue
			}
			if !due(now) {
				break
			}
			if done && !w.renew(f, int32(i)) {
				return
			}
			stamp := now
			if w.Rate > 0 {
				stamp = begin + p.due(p.next-1)
			}
			w.send(f, stamp, 1)
			f.heard = now
		}
		d := idleWait
		if over {
			d = 0
		}
		if w.Rate > 0 && waiting < len(w.flows) {
			d = min(d, p.wait(w.now()-begin))
		}
		for _, ev := range w.wait.wait(d) {
			w.receive(w.flows[ev.Fd])
		}
	}
	if w.Rate > 0 {
		w.faults.Lost += p.late(min(w.now(), w.stop) - begin)
	}
	w.drain(ctx)
}

// renew settles a flow and opens another in its place.
func (w *udpWorker) renew(f *udpFlow, tag int32) bool {
	w.settleFlow(f)
	_ = f.sock.Close()
	err := w.open(f)
	if err == nil {
		err = w.wait.add(f.sock.FD, tag)
	}
	if err != nil {
		w.faults.fail(err)
	}
	return err == nil
}
