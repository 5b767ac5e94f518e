package mice

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"time"
)

// Path is the way of a mouse. Client and Server run what opens its two sockets:
// lab.Namespace.Do of its ends.
type Path struct {
	Network        string         // "tcp" or "udp"
	Echo           netip.AddrPort // an address of the server on which nothing listens yet
	Client, Server func(func() error) error
}

// Latency sums up the exchanges of a while.
type Latency struct {
	Count                        int
	P50, P90, P99, P999, Longest time.Duration
}

// Result is what a mouse waited for.
type Result struct {
	Alone, Beside Latency
	Lost          int // exchanges without an answer within answerTime: UDP
}

// Times is how many times the 99th percentile grew.
func (r Result) Times() float64 { return float64(r.Beside.P99) / float64(max(r.Alone.P99, 1)) }

func (r Result) String() string {
	us := func(l Latency) string {
		return fmt.Sprintf("p50 %d, p90 %d, p99 %d, p99.9 %d us", l.P50.Microseconds(), l.P90.Microseconds(), l.P99.Microseconds(), l.P999.Microseconds())
	}
	return fmt.Sprintf("alone %s; beside %s; p99 times %.1f, lost %d", us(r.Alone), us(r.Beside), r.Times(), r.Lost)
}

// settleTime is how long elephants grow before the mouse is measured beside them.
const settleTime = time.Second

// spareProcs keeps a P of the Go scheduler for each of the mouse's threads, however
// many goroutines the elephants are.
const spareProcs = 4

// Measure exchanges for a time alone, and for as long beside elephants, which is to
// put its load until its context ends.
func Measure(ctx context.Context, p Path, each time.Duration, elephants func(context.Context) error) (r Result, err error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(runtime.NumCPU() + spareProcs))
	m, err := open(p)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	if r.Alone, err = m.exchange(ctx, each, &r.Lost); err != nil {
		return r, fmt.Errorf("mouse alone: %w", err)
	}
	herd, end := context.WithCancel(ctx)
	gone := make(chan error, 1)
	go func() { gone <- elephants(herd) }()
	var settling Latency
	if settling, err = m.exchange(ctx, settleTime, new(int)); err == nil {
		r.Beside, err = m.exchange(ctx, each, &r.Lost)
	}
	end()
	if err != nil {
		err = fmt.Errorf("mouse beside elephants, after %d exchanges: %w", settling.Count, err)
	}
	return r, errors.Join(err, <-gone)
}

// sumUp takes how long each exchange took.
func sumUp(all []time.Duration) Latency {
	if len(all) == 0 {
		return Latency{}
	}
	slices.Sort(all)
	at := func(share float64) time.Duration { return all[min(int(share*float64(len(all))), len(all)-1)] }
	return Latency{Count: len(all), P50: at(.5), P90: at(.9), P99: at(.99), P999: at(.999), Longest: all[len(all)-1]}
}
