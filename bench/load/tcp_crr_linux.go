package load

import (
	"context"
	"fmt"
	"sync"
	"time"

	"sluice/bench/frame"
)

// tcpCRR opens, asks, is answered and closes, Flows connections at a time. At a
// rate, the latency counts from when a connection was due.
func (r *run) tcpCRR(ctx context.Context) error {
	var missed uint64
	due := r.schedule(ctx, &missed)
	var running sync.WaitGroup
	for i := range r.Flows {
		running.Go(func() {
			var t tally
			slot := frame.NewSlot(make([]byte, r.Size), uint64(i))
			buf := frame.NewReader(nil, 0)
			for n := i; ; n += r.Flows {
				at, ok := <-due
				if !ok {
					break
				}
				if at < 0 { // closed loop
					at = r.now()
				}
				if err := r.once(ctx, n, at, slot, buf, &t); err != nil {
					t.faults.fail(err)
					r.progress.Faults.Add(1)
				}
			}
			r.add(&t)
		})
	}
	running.Wait()
	r.add(&tally{faults: Faults{Lost: missed}})
	return nil
}

// schedule gives the times at which connections are due, until the load is over;
// in a closed loop -1, whenever someone asks. When the channel is closed, missed is how
// many were due and found no one free.
func (r *run) schedule(ctx context.Context, missed *uint64) <-chan int64 {
	due := make(chan int64)
	go func() {
		defer close(due)
		stop := time.NewTimer(r.Duration)
		defer stop.Stop()
		p := newPace(r.Rate)
		for {
			at := int64(-1)
			if r.Rate > 0 {
				at = p.due(p.next)
				sleep(ctx, min(p.wait(r.now()), time.Duration(int64(r.Duration)-r.now())))
			}
			if r.Rate > 0 && r.now() >= int64(r.Duration) {
				*missed = r.rest(p, due)
				return
			}
			select {
			case due <- at:
				p.next++
			case <-stop.C:
				if r.Rate > 0 {
					*missed = r.rest(p, due)
				}
				return
			case <-ctx.Done():
				return
			}
		}
	}()
	return due
}

// rest hands out what came due before the end, as far as someone is free, and returns
// how much is left.
func (r *run) rest(p pace, due chan<- int64) uint64 {
	for p.late(int64(r.Duration)) > 0 {
		select {
		case due <- p.due(p.next):
			p.next++
		default:
			return p.late(int64(r.Duration))
		}
	}
	return 0
}

// once is one connection with one request.
func (r *run) once(ctx context.Context, n int, due int64, slot frame.Slot, buf *frame.Reader, t *tally) error {
	conn, err := r.dial(ctx, n)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(r.Timeout)); err != nil {
		return err
	}
	flow := r.flow(n)
	b := slot.Put(frame.Header{Kind: frame.Request, Reply: uint32(r.Reply), Flow: flow, Stamp: due})
	if _, err := conn.Write(b); err != nil {
		return err
	}
	t.sent++
	t.bytesOut += uint64(len(b))
	buf.Reset(conn)
	h, got, err := buf.Next()
	t.bytesIn += uint64(len(got))
	switch {
	case err != nil && got == nil:
		t.faults.Lost++
		return fmt.Errorf("response: %w", err)
	case err != nil || h.Kind != frame.Response || len(got) != max(r.Reply, frame.HeaderSize):
		t.faults.Corrupt++
		r.progress.Faults.Add(1)
	case h.Flow != flow:
		t.faults.Mixed++
		r.progress.Faults.Add(1)
	default:
		t.units++
		t.latency.record(r.now() - due)
		r.progress.Units.Add(1)
	}
	return nil
}
