package nat

import "sync/atomic"

const (
	// fairPart and fairSlack say who holds about as many entries as the one that
	// holds the most: who lacks no more than 1/fairPart of those and fairSlack
	// entries. Without a tolerance the shard to which chance gave a client more
	// than to the others would pay for all.
	fairPart  = 8
	fairSlack = 8
)

// census is what the shards publish of their entries of one class. Anybody may
// read it; each shard writes its own place behind its lock. The places of all
// shards lie side by side, because who looks for a victim reads all.
type census struct {
	total   atomic.Int64  // entries
	most    atomic.Uint32 // the shard that holds the most, as the last one who looked knew
	_       [cacheLine - 12]byte
	held    []atomic.Int32 // entries, by shard
	records []atomic.Int64 // lowest record by shard; never where there is none
}

func (c *census) init(shards int) {
	c.held, c.records = make([]atomic.Int32, shards), make([]atomic.Int64, shards)
	for i := range c.records {
		c.records[i].Store(never)
	}
}

// publish brings a shard's place up to date.
func (c *census) publish(shard, held int, record int64) {
	update(&c.records[shard], record)
	was := int(c.held[shard].Load())
	if was == held {
		return
	}
	c.held[shard].Store(int32(held))
	c.total.Add(int64(held - was))
	if held > was && int32(held) > c.held[c.most.Load()].Load() {
		c.most.Store(uint32(shard))
	}
}

// update stores only what is new, to leave the cache line with its readers.
func update(w *atomic.Int64, v int64) {
	if w.Load() != v {
		w.Store(v)
	}
}

// highest returns how many entries the shard has that holds the most.
func (c *census) highest() (n int32) {
	for i := range c.held {
		n = max(n, c.held[i].Load())
	}
	return n
}

// oldest returns the shard with the lowest record before a time, -1 when none
// has any, and the lowest record of the others, or that time. When fair it
// looks only at those that hold about as much as the one that holds the most.
func (c *census) oldest(before int64, fair bool) (shard int, others int64) {
	for {
		most, least := c.most.Load(), int32(1)
		n := c.held[most].Load()
		if fair {
			least = max(1, n-n/fairPart-fairSlack)
		}
		shard, others = -1, before
		first, more := before, most
		for i := range c.held {
			held := c.held[i].Load()
			if held < least {
				continue
			}
			if held > n {
				n, more = held, uint32(i)
			}
			switch at := c.records[i].Load(); {
			case at < first:
				shard, first, others = i, at, first
			case at < others:
				others = at
			}
		}
		if more == most || !fair {
			return shard, others
		}
		c.most.Store(more)
	}
}
