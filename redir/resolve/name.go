package resolve

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"
)

const (
	// lookupPatience bounds one lookup: the system's resolver asks each server
	// twice for 5 s (resolv.conf(5)).
	lookupPatience = 20 * time.Second
	// retryFirst and retryMost bound the time after which a lookup that failed is
	// tried again; it doubles.
	retryFirst = time.Second
	retryMost  = 30 * time.Second
	// leastPause is the least time between two lookups of a name for the sake of
	// addresses that failed.
	leastPause = 5 * time.Second
	// demotedFor is how long an address that failed stays behind the others.
	demotedFor = time.Minute
	// mostAddrs bounds the addresses of a name that are tried.
	mostAddrs = 16
	// mostFailed bounds the failures that wait to be looked at.
	mostFailed = 16
)

var errNoAddress = errors.New("the name has no address")

// name is a target that is looked up. But for the channels and dests, it belongs
// to the goroutine that runs it.
type name struct {
	target  Target
	dests   *Dests
	done    context.Context
	stop    context.CancelFunc
	refresh chan struct{}
	first   chan struct{} // closed after the first lookup

	addrs   []netip.AddrPort             // as they were resolved; nil: not yet
	demoted map[netip.AddrPort]time.Time // until when
	failing bool                         // the last lookup did
	retry   time.Duration
	looked  time.Time // when it was looked up last
}

func newName(t Target) *name {
	return &name{
		target: t, dests: &Dests{failed: make(chan netip.AddrPort, mostFailed)},
		refresh: make(chan struct{}, 1), first: make(chan struct{}), demoted: map[netip.AddrPort]time.Time{},
	}
}

// run looks the name up, and again when there is reason to.
func (n *name) run(r *Resolver) {
	wake := time.NewTimer(0)
	defer wake.Stop()
	for first := true; ; first = false {
		n.look(r)
		if first {
			close(n.first)
		}
		wake.Reset(n.pause())
		if !n.wait(wake) {
			return
		}
	}
}

// wait returns when it is time for another lookup; false: never again.
func (n *name) wait(wake *time.Timer) bool {
	for {
		select {
		case <-n.done.Done():
			return false
		case <-n.refresh:
			return true
		case <-wake.C:
			return true
		case at := <-n.dests.failed:
			if !slices.Contains(n.addrs, at) {
				continue
			}
			if _, known := n.demoted[at]; !known {
				n.demoted[at] = time.Now().Add(demotedFor)
				n.publish()
			}
			if !n.failing {
				wake.Reset(max(0, leastPause-time.Since(n.looked)))
			}
		}
	}
}

// pause is how long it is until the next lookup if nothing happens.
func (n *name) pause() time.Duration {
	if n.failing {
		return n.retry
	}
	if len(n.demoted) > 0 { // they get their place back
		return demotedFor
	}
	return 1 << 62
}

// look looks the name up once.
func (n *name) look(r *Resolver) {
	ctx, cancel := context.WithTimeout(n.done, lookupPatience)
	defer cancel()
	found, err := r.lookup(ctx, n.target.Host)
	n.looked = time.Now()
	var addrs []netip.AddrPort
	for _, a := range found {
		if a = a.Unmap().WithZone(""); checkAddr(a) == nil && len(addrs) < mostAddrs {
			addrs = append(addrs, netip.AddrPortFrom(a, n.target.Port))
		}
	}
	if err == nil && len(addrs) == 0 {
		err = errNoAddress
	}
	if n.done.Err() != nil {
		return
	}
	if err != nil {
		if !n.failing {
			n.failing, n.retry = true, retryFirst
			r.tell(n.target, n.addrs, err)
			return
		}
		n.retry = min(2*n.retry, retryMost)
		return
	}
	news := n.failing || !sameAddrs(addrs, n.addrs)
	n.failing, n.addrs = false, addrs
	n.publish()
	if news {
		r.tell(n.target, addrs, nil)
	}
}

// publish is what who dials sees from now on: addresses that failed of late come
// last.
func (n *name) publish() {
	var good, bad []netip.AddrPort
	for _, a := range n.addrs {
		if until, failed := n.demoted[a]; failed && time.Now().Before(until) {
			bad = append(bad, a)
		} else {
			delete(n.demoted, a)
			good = append(good, a)
		}
	}
	for a := range n.demoted {
		if !slices.Contains(bad, a) {
			delete(n.demoted, a)
		}
	}
	n.dests.set(append(good, bad...))
}

// sameAddrs compares them whatever their order, which servers turn.
func sameAddrs(a, b []netip.AddrPort) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(at netip.AddrPort) bool { return !slices.Contains(b, at) })
}
