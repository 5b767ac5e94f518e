package tcp

import (
	"net/netip"

	"sluice/redir/socket"
)

// introduce tells the destination whose connection it gets, where it is to be
// told. What it sends leaves with the handshake's last ACK.
func (c *conn) introduce() {
	if !c.way.Path.SendProxy.On() {
		return
	}
	c.preface(clientSide, c.way.Path.SendProxy.Append(c.w.header[:0], c.from(), c.reached()))
	c.spareExtra()
}

// reached is the address that the client connected to, wherever the conn goes. A
// front's client connected to the front.
func (c *conn) reached() netip.AddrPort {
	if c.extra != nil && c.extra.reached != (socket.Endpoint{}) {
		return c.extra.reached.AddrPort()
	}
	dest := c.dest.AddrPort()
	if first, err := c.way.In.Kind.Dest(c.client.fd, dest.Addr()); err == nil {
		return first
	}
	return dest
}
