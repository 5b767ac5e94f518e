package admit

import (
	"hash/maphash"
	"net/netip"
	"sync/atomic"

	"sluice/redir/count"
)

// Clients knows what each client holds, on whichever worker, and refuses what is
// beyond its Bounds. It is asked once when a connection or a session begins and
// told when it ends, never in between; each takes the lock of one shard. What it
// remembers goes with what is held: a client costs 80 bytes, and its place in a
// map, while it has something.
type Clients struct {
	seed   maphash.Seed
	bounds atomic.Pointer[Bounds]
	rates  atomic.Pointer[Rates]
	rated  atomic.Bool // they bound somebody
	shards [clientShards]clientShard
}

// NewClients returns one that bounds nothing yet.
func NewClients() *Clients {
	c := &Clients{seed: maphash.MakeSeed()}
	for i := range c.shards {
		s := &c.shards[i]
		s.all, s.clients = c, map[key]*Client{}
	}
	c.rates.Store(&Rates{})
	c.Set(&Bounds{})
	return c
}

// Set replaces the bounds, from one goroutine at a time. Nobody loses what it
// holds beyond lower ones.
func (c *Clients) Set(b *Bounds) {
	was := c.bounds.Swap(b)
	if was != nil && was.Prefix != b.Prefix {
		for i := range c.shards {
			s := &c.shards[i]
			s.mu.Lock()
			s.rejoin(b.Prefix)
			s.mu.Unlock()
		}
	}
	c.reration()
}

// Connect takes a connection, and the dial that it begins with, for the client
// at addr (IPv4 unmapped, no zone) at now (ns of one clock), no faster than pace
// where that is for Connect to say (Bounds.Paced).
func (c *Clients) Connect(addr netip.Addr, now int64, pace Pace) (*Client, Refusal) {
	k := keyOf(addr)
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	b := c.bounds.Load() // behind the lock: Set may be about to look at this shard
	pace = b.paceOf(pace)
	r := s.client(k, b.Prefix)
	if !b.isExempt(addr) {
		if refusal := r.mayConnect(b, now, pace); refusal.Cause != 0 {
			s.dropIdle(r)
			return nil, refusal
		}
	}
	if pace.Interval > 0 {
		s.paced = true
		r.opened(now, pace)
	}
	r.take(conns)
	r.take(dials)
	return r, Refusal{}
}

// Hold takes a connection of a front at addr, until it is known whose it is
// (Release). It counts for no bound.
func (c *Clients) Hold(addr netip.Addr) *Client {
	k := keyOf(addr)
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.client(k, c.bounds.Load().Prefix)
	r.members++
	return r
}

// Open takes a UDP session for the client at addr.
func (c *Clients) Open(addr netip.Addr) (*Client, Refusal) {
	k := keyOf(addr)
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	b := c.bounds.Load()
	r := s.client(k, b.Prefix)
	if !b.isExempt(addr) {
		if refusal := r.refused(sessions, b.Sessions, count.RefusedClientSessions); refusal.Cause != 0 {
			s.dropIdle(r)
			return nil, refusal
		}
	}
	r.take(sessions)
	return r, Refusal{}
}

// Sweep forgets what was remembered of clients for their rates and is no longer of
// consequence at now. Call it every second or so.
func (c *Clients) Sweep(now int64) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		if s.paced {
			s.sweep(now)
		}
		if s.left {
			s.sweepShapers(now)
		}
		s.mu.Unlock()
	}
}

// Len is how many clients and networks are known.
func (c *Clients) Len() (n int) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		n += len(s.clients)
		s.mu.Unlock()
	}
	return n
}

func (c *Clients) shard(k key) *clientShard {
	site := k.network(LeastPrefix).hi
	if k.isIPv4() {
		site = k.lo
	}
	return &c.shards[maphash.Comparable(c.seed, site)%clientShards]
}
