package tcp

import "sluice/splice"

// pump moves what can be moved, and acts on what the relay says of it.
func (c *conn) pump() {
	switch c.relay.Pump() {
	case splice.Blocked:
		c.watchHalfClose()
		bulk := c.relay.Bulk()
		if bulk {
			c.w.r.NotLone()
		}
		if stream := bulk && c.relay.OneWay(); stream != c.stream {
			c.stream = stream
			c.w.r.Stream(c.client.fd, interest, stream)
			c.w.r.Stream(c.upstream.fd, interest, stream)
		}
	case splice.Again:
		c.w.r.Again(&c.client)
	case splice.Finished:
		c.close()
	case splice.Broken:
		failed := &c.client
		if side, _ := c.relay.Failed(); side == upstreamSide {
			failed = &c.upstream
		}
		c.breakOff(failed)
	}
}
