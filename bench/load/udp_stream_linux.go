package load

import (
	"context"
	"net/netip"
	"time"

	"sluice/bench/dgram"
	"sluice/bench/frame"
)

const (
	// reportEvery is the time between two questions for a report.
	reportEvery = 50 * time.Millisecond
	// fullWait is the pause of a flood when no socket has room.
	fullWait = 50 * time.Microsecond
)

// push sends one way, at the rate or as fast as it goes, and then asks the server
// what arrived.
func (w *udpWorker) push(ctx context.Context, begin int64) {
	p := newPace(w.Rate / float64(w.Threads))
	for turn := 0; ctx.Err() == nil; turn++ {
		now := w.now()
		if now >= w.stop {
			break
		}
		due := uint64(w.tx.Len())
		if w.Rate > 0 {
			due = p.ready(now - begin)
		}
		if due == 0 {
			w.wait.wait(min(idleWait, p.wait(now-begin)))
			continue
		}
		// Shared out in runs: what is due now goes to as few flows as it takes.
		n := w.send(w.flows[turn%len(w.flows)], now, int(min(due, uint64(w.tx.Len()))))
		p.next += uint64(n)
		w.progress.Units.Add(uint64(n))
		if n == 0 {
			w.wait.wait(fullWait)
		}
	}
	w.reports(ctx)
}

// reports asks for the report of every flow until two answers running agree, or the
// timeout is over.
func (w *udpWorker) reports(ctx context.Context) {
	type state struct {
		frames uint64
		same   bool
	}
	last := make([]state, len(w.flows))
	end := w.now() + int64(w.Timeout)
	for open := len(w.flows); open > 0 && w.now() < end && ctx.Err() == nil; {
		for i, f := range w.flows {
			if !last[i].same {
				w.ask(f, frame.Report, nil)
			}
		}
		for until := w.now() + int64(reportEvery); w.now() < until; {
			for _, ev := range w.wait.wait(time.Duration(until - w.now())) {
				w.receive(w.flows[ev.Fd])
			}
		}
		open = 0
		for i, f := range w.flows {
			if f.stats != nil {
				last[i].same = last[i].same || f.stats.Frames == last[i].frames && f.stats.Frames > 0
				last[i].frames = f.stats.Frames
			}
			if !last[i].same {
				open++
			}
		}
	}
}

// ask sends one datagram of another kind, outside of the flow's count.
func (w *udpWorker) ask(f *udpFlow, kind frame.Kind, body []byte) {
	tx := dgram.NewSender(1)
	tx.Add(frame.New(frame.Header{Kind: kind, Flow: f.flow, Stamp: w.now()}, body), 0, w.Target, netip.Addr{})
	if _, err := tx.Send(f.sock); err != nil {
		w.faults.fail(err)
	}
}

// pull asks the server for streams and takes them.
func (w *udpWorker) pull(ctx context.Context) {
	body := frame.SourceSpec{Size: uint32(w.Size), Rate: uint64(max(1, w.Rate/float64(w.Flows))), Duration: w.Duration, Single: w.Single}.Append(nil)
	var asked int64
	for end := w.stop + int64(reportEvery); ctx.Err() == nil; {
		now := w.now()
		if now >= end {
			break
		}
		if now-asked > int64(reportEvery) || asked == 0 {
			for _, f := range w.flows {
				if f.track.Unique == 0 {
					w.ask(f, frame.Source, body)
				}
			}
			asked = now
		}
		for _, ev := range w.wait.wait(idleWait) {
			w.receive(w.flows[ev.Fd])
		}
	}
	w.reports(ctx)
}
