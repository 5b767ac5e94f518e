package tcp

import "sluice/loop"

// sniff waits for the first bytes of the client.
func (c *conn) sniff() { c.named("") }

// sniffEdge looks at them.
func (c *conn) sniffEdge(e *end, ev loop.Events) {}
