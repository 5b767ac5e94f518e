package tcp

import (
	"sluice/loop"
	"sluice/redir/count"
)

// dialServer begins the handshake with the server of c's way.
func (c *conn) dialServer() { c.fail(count.FailedUpstreamOther, nil) }

// greetEdge reads what the server answers.
func (c *conn) greetEdge(e *end, ev loop.Events) {}
