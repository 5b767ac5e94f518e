package ledger

import "sync/atomic"

// counts are a writer's. Any goroutine may read.
type counts struct {
	written, missing atomic.Uint64
	why              atomic.Pointer[error]
}

func (c *counts) wrote(n int) { c.written.Add(uint64(n)) }

func (c *counts) lost(n int, why error) {
	c.missing.Add(uint64(n))
	c.why.Store(&why)
}

func (c *counts) all() (written, lost uint64, why error) {
	if at := c.why.Load(); at != nil {
		why = *at
	}
	return c.written.Load(), c.missing.Load(), why
}
