package tcp

import (
	"errors"
	"net/netip"

	"sluice/redir/count"
	"sluice/redir/inbound"
	"sluice/redir/socket"
	"sluice/redir/source"
	"sluice/redir/upstream"
)

// errNotBorne says why a client's address is not its upstream's.
var errNotBorne = errors.New("the server's replies to the client would not come back here (it is the gateway itself, or link-local, or on one link with the server), or sluice's own connection was diverted again")

// Where somebody's rules take the mark off sluice's packets, they are diverted a
// second time. The gateway's own source tells (admit.Self.Is). One of a client that
// has kept its port cannot come again: its tuple is that of the connection which
// it was made for, and TPROXY hands its packets there (nf_tproxy_get_sock_v4). One
// that left its port to the kernel would come again and again; so what is found to
// come from such a socket of sluice's own gets the gateway's source, which tells
// the next time. A client that has chosen the same port by chance is served.

// sourceOf is what the upstream of a client bears towards dest: invalid for what
// the routes choose. borne is false where it should be the client's address and
// cannot.
func (w *Worker) sourceOf(in *inbound.Inbound, client, dest netip.AddrPort) (from netip.AddrPort, borne bool) {
	s := &in.Path.Source
	switch {
	case s.Kind == source.Address:
		return s.For(dest), true // of its family
	case !s.OfClients():
		return netip.AddrPort{}, true
	case !w.shared.admission.MayBear(client.Addr(), dest.Addr()):
		return netip.AddrPort{}, false
	case s.Kind == source.ClientAddress && w.self.Bears(client, dest):
		return netip.AddrPort{}, false
	}
	return s.For(client), true
}

// fallBack counts a client whose address is not borne, and returns the cause to
// refuse it, or 0 for the gateway's source.
func (w *Worker) fallBack(in *inbound.Inbound, client, dest netip.AddrPort) count.Counter {
	if w.set.RequireSource {
		return count.RefusedSource
	}
	w.counters.Add(count.SourceFallback, 1)
	if e := w.log.Warn(count.SourceFallback, w.r.Now()); e != nil {
		e.Str("inbound", in.Tag).Stringer("client", client).Stringer("dest", dest).Err(errNotBorne).
			Msg("the gateway's own source is taken instead of the client's")
	}
	return 0
}

// connect begins the handshake of c's upstream with dest, from a source that
// sourceOf has chosen. Its socket may be another afterwards. The cause is 0, or
// that of the error.
func (c *conn) connect(dest, from netip.AddrPort) (count.Counter, error) {
	w := c.w
	d := upstream.Dial{Path: &c.in.Path, From: from, TOS: c.tos, Ports: w.shared.Ports()}
	fd, kept, err := d.Connect(c.upstream.fd, dest)
	if err == nil && !kept && w.self.Bears(c.from(), dest) {
		if cause := w.fallBack(c.in, c.from(), dest); cause != 0 {
			return cause, errNotBorne
		}
		d.From = netip.AddrPort{}
		fd, kept, err = d.Again(fd, dest)
	}
	if fd != c.upstream.fd {
		c.upstream.fd = fd
		w.shared.admission.Opened(fd)
	}
	if err != nil {
		return upstream.CauseOf(err), err
	}
	if !kept {
		w.counters.Add(count.SourcePortOther, 1)
	}
	return 0, nil
}

// source is what the upstream of c bears, for logs: "" where the routes chose it.
func (c *conn) source() string {
	if c.upstream.fd < 0 || !c.in.Path.Source.Foreign() {
		return ""
	}
	at, err := socket.LocalAddr(c.upstream.fd)
	if err != nil {
		return ""
	}
	return at.String()
}
