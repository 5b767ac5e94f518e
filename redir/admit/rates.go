package admit

import (
	"sync/atomic"

	"sluice/redir/shape"
)

// Rates are how fast one client may be: an IPv4 address, or all of the network of an
// IPv6 one. They are never changed.
type Rates struct {
	All shape.Limit            // by all inbounds together that have none of their own
	Of  map[uint16]shape.Limit // by inbounds that do, by their ID
}

// of is the limit of what comes by an inbound, and which inbound's it is; 0: that of
// all.
func (r *Rates) of(inbound uint16) (shape.Limit, uint16) {
	if l, own := r.Of[inbound]; own {
		return l, inbound
	}
	return r.All, 0
}

// shaperKey names a shaper: whose it is, an address or a network, and for which
// inbound, 0 for all.
type shaperKey struct {
	key
	inbound uint16
}

// ration is how fast a client may be by one inbound: its shaper, which others may
// have too; nil where nothing bounds it.
type ration struct {
	inbound uint16
	shaper  atomic.Pointer[shape.Shaper]
	next    *ration // of another inbound; it never changes
}

// Shaper is how fast the client may be by an inbound; nil: as fast as it can. Where it
// is another one than before, that holds no longer. Who holds nothing of the client any
// more, since another goroutine has given it back just now, may get another's.
func (c *Client) Shaper(inbound uint16) *shape.Shaper {
	for r := c.rations.Load(); r != nil; r = r.next {
		if r.inbound == inbound {
			return r.shaper.Load()
		}
	}
	s := c.shard
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clients[c.key] != c { // it is nobody's
		return nil
	}
	first := c.rations.Load()
	for r := first; r != nil; r = r.next {
		if r.inbound == inbound {
			return r.shaper.Load()
		}
	}
	r := &ration{inbound: inbound, next: first}
	r.shaper.Store(s.shaperOf(c, inbound))
	c.rations.Store(r)
	return r.shaper.Load()
}

// shaperOf is the one that holds for a client by an inbound, a new one where there is
// none yet.
func (s *clientShard) shaperOf(c *Client, inbound uint16) *shape.Shaper {
	limit, of := s.all.rates.Load().of(inbound)
	if !limit.Bounds() || s.all.bounds.Load().isExempt(c.Addr()) {
		return nil
	}
	k := shaperKey{c.key, of}
	if c.within != nil {
		k.key = c.within.key
	}
	known := s.shapers[k]
	if known == nil || known.Limit() != limit {
		known = shape.New(limit)
		if s.shapers == nil {
			s.shapers = map[shaperKey]*shape.Shaper{}
		}
		s.shapers[k] = known
	}
	return known
}

// SetRates replaces how fast clients may be, of those that are there too.
func (c *Clients) SetRates(r *Rates) {
	rated := r.All.Bounds()
	for _, l := range r.Of {
		rated = rated || l.Bounds()
	}
	c.rates.Store(r)
	c.rated.Store(rated)
	c.reration()
}

// Rated reports whether there is a rate for anybody; where there is none, no Shaper is
// to be asked for.
func (c *Clients) Rated() bool { return c.rated.Load() }

// reration gives every client what holds for it now.
func (c *Clients) reration() {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		for _, client := range s.clients {
			for r := client.rations.Load(); r != nil; r = r.next {
				r.shaper.Store(s.shaperOf(client, r.inbound))
			}
		}
		s.left = len(s.shapers) > 0
		s.mu.Unlock()
	}
}

// sweepShapers forgets those of clients that are gone, once what they took is paid
// for: a client that comes back at once goes on where it was.
func (s *clientShard) sweepShapers(now int64) {
	s.left = false
	for k, shaper := range s.shapers {
		if s.clients[k.key] != nil {
			continue
		}
		if shaper.Owes(now) {
			s.left = true
		} else {
			delete(s.shapers, k)
		}
	}
}
