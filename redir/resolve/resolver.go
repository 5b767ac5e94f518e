package resolve

import (
	"context"
	"net/netip"
	"sync"
	"time"
)

// Lookup asks for the addresses of a name.
type Lookup func(ctx context.Context, host string) ([]netip.Addr, error)

// Resolver keeps the Dests of targets.
type Resolver struct {
	lookup Lookup
	tell   func(t Target, addrs []netip.AddrPort, err error)
	done   context.Context
	stop   context.CancelFunc
	ended  sync.WaitGroup

	mu    sync.Mutex
	names map[Target]*name
}

// New returns a resolver that keeps nothing yet. tell is called, on several
// goroutines, with what a name has come to where that is news, and with the first
// error in a row.
func New(lookup Lookup, tell func(t Target, addrs []netip.AddrPort, err error)) *Resolver {
	r := &Resolver{lookup: lookup, tell: tell, names: map[Target]*name{}}
	r.done, r.stop = context.WithCancel(context.Background())
	return r
}

// Dests are those of a target. A name is kept by a goroutine from here on, until
// Keep does not name it, or Close.
func (r *Resolver) Dests(t Target) *Dests {
	if !t.IsName() {
		return Fixed(t.AddrPort())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.names[t]
	if n == nil {
		n = newName(t)
		n.done, n.stop = context.WithCancel(r.done)
		r.names[t] = n
		r.ended.Go(func() { n.run(r) })
	}
	return n.dests
}

// Keep lets go of the names that are not among targets.
func (r *Resolver) Keep(targets []Target) {
	kept := map[Target]bool{}
	for _, t := range targets {
		kept[t] = true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for t, n := range r.names {
		if !kept[t] {
			n.stop()
			delete(r.names, t)
		}
	}
}

// Refresh has all names looked up again.
func (r *Resolver) Refresh() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range r.names {
		select {
		case n.refresh <- struct{}{}:
		default: // asked for already
		}
	}
}

// Await waits until all names were looked up at least once, with whatever result,
// but no longer than d.
func (r *Resolver) Await(d time.Duration) {
	patience := time.After(d)
	r.mu.Lock()
	var first []chan struct{}
	for _, n := range r.names {
		first = append(first, n.first)
	}
	r.mu.Unlock()
	for _, looked := range first {
		select {
		case <-looked:
		case <-patience:
			return
		}
	}
}

// Close ends all goroutines.
func (r *Resolver) Close() {
	r.stop()
	r.ended.Wait()
}
