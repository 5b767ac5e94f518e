package load

import (
	"context"
	"time"
)

// tcpIdle opens the connections, asks once on each, holds them all for Duration,
// and asks again: a connection that answers both times was held.
func (r *run) tcpIdle(ctx context.Context) error {
	all := r.connectAll(ctx)
	r.askAll(ctx, all)
	sleep(ctx, r.Duration)
	r.askAll(ctx, all)
	for _, q := range all {
		q.mu.Lock()
		if q.answers == 2 {
			q.tally.units++
		}
		q.mu.Unlock()
	}
	r.finish(ctx, all)
	return nil
}

// askAll asks on every connection and waits until all have answered, at most for
// the timeout.
func (r *run) askAll(ctx context.Context, all []*requester) {
	for _, q := range all {
		q.ask(r.now())
		r.progress.Units.Add(1)
	}
	r.await(ctx, all)
}

// await waits until no answer is to come any more, at most for the timeout.
func (r *run) await(ctx context.Context, all []*requester) {
	for end := r.now() + int64(r.Timeout); r.now() < end && ctx.Err() == nil; sleep(ctx, time.Millisecond) {
		busy := false
		for _, q := range all {
			busy = busy || q.pending()
		}
		if !busy {
			return
		}
	}
}
