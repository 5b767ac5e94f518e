package load

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/cloudwego/netpoll"
	"golang.org/x/sys/unix"

	"sluice/bench/frame"
)

// connectAll opens the connections of tcp-rr and tcp-idle.
func (r *run) connectAll(ctx context.Context) []*requester {
	quietNetpoll()
	all := make([]*requester, r.Flows)
	r.dialAll(ctx, func(i, fd int) {
		q := &requester{run: r, flow: r.flow(i), slot: frame.NewSlot(make([]byte, r.Size), uint64(i))}
		conn, err := netpoll.NewFDConnection(fd)
		if err != nil {
			_ = unix.Close(fd)
			q.broken(err)
			return
		}
		q.mu.Lock() // a hang-up may come at once
		q.conn = conn
		q.mu.Unlock()
		err = errors.Join(conn.SetReadTimeout(r.Timeout),
			conn.SetOnRequest(func(context.Context, netpoll.Connection) error { return q.answered() }),
			conn.AddCloseCallback(func(netpoll.Connection) error { q.broken(errHungUp); return nil }))
		if err != nil {
			q.broken(err)
		}
		all[i] = q
	})
	live := all[:0]
	for _, q := range all {
		if q != nil {
			live = append(live, q)
		}
	}
	return live
}

// quietNetpoll keeps netpoll, which is configured once for the process, from logging
// every reset: the load counts them.
var quietNetpoll = sync.OnceFunc(func() {
	_ = netpoll.Configure(netpoll.Config{LoggerOutput: io.Discard}) // a log line is all that is lost
})

var errHungUp = errors.New("connection ended by the other side")

// tcpRR opens the connections and then asks for Duration; it returns how long it
// asked, without the connecting.
func (r *run) tcpRR(ctx context.Context) (time.Duration, error) {
	all := r.connectAll(ctx)
	begin := r.now()
	stop := begin + int64(r.Duration)
	if r.Rate > 0 {
		r.offer(ctx, all, begin, stop)
	} else {
		for _, q := range all {
			q.ask(r.now())
		}
		sleep(ctx, time.Duration(stop-r.now()))
	}
	took := time.Duration(r.now() - begin)
	for _, q := range all {
		q.end()
	}
	r.finish(ctx, all)
	return took, nil
}

// offer hands requests to the connections in turn as they come due.
func (r *run) offer(ctx context.Context, all []*requester, begin, stop int64) {
	p := newPace(r.Rate)
	for turn := 0; ctx.Err() == nil && len(all) > 0; {
		now := r.now()
		for range p.ready(min(now, stop-1) - begin) { // after stop, what came due since the last turn
			all[turn%len(all)].ask(begin + p.due(p.next))
			turn++
			p.next++
		}
		if now >= stop {
			return
		}
		now = r.now()
		sleep(ctx, min(p.wait(now-begin), time.Duration(stop-now)))
	}
}

// finish lets the requests on their way be answered, closes the connections, and
// takes their counts.
func (r *run) finish(ctx context.Context, all []*requester) {
	r.await(ctx, all)
	for _, q := range all {
		q.mu.Lock()
		q.ended = true
		if q.busy {
			q.tally.faults.Lost++
		}
		q.tally.faults.Lost += uint64(len(q.waiting))
		r.add(&q.tally)
		q.mu.Unlock()
		_ = q.conn.Close() // its callback finds it ended
	}
}

// sleep waits, at most until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
