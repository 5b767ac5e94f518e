package tcp

import (
	"net/netip"

	"sluice/redir/inbound"
	"sluice/redir/socket"
)

// introduce tells the destination whose connection it gets, where it is to be
// told. What it sends leaves with the handshake's last ACK.
func (c *conn) introduce() {
	if !c.in.Path.SendProxy.On() {
		return
	}
	c.relay.Preface(clientSide, c.in.Path.SendProxy.Append(c.w.header[:0], c.from(), c.reached()))
}

// reached is the address that the client connected to, wherever the conn goes.
func (c *conn) reached() netip.AddrPort {
	dest := c.dest.AddrPort()
	if c.in.Kind == inbound.Redirect {
		return dest
	}
	if local, err := socket.LocalAddr(c.client.fd); err == nil && local.IsValid() {
		return local
	}
	return dest
}
