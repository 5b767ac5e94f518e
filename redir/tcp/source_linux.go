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
var errNotBorne = errors.New("the server's replies to the client would not come back here (it is the gateway itself, or link-local, or on one link with the server, or of another family)")

// An upstream with a client's address whose packets are diverted a second time,
// since somebody's rules take their mark off, is no loop, as one with the gateway's
// own would be (admit.Self): what a listener answers goes to the client, which
// resets it, and the handshake of neither ends.

// sourceOf is what the upstream of a client bears towards dest, by a path: invalid for what
// the routes choose. borne is false where it should be the client's address and
// cannot.
func (w *Worker) sourceOf(path *upstream.Path, client, dest netip.AddrPort) (from netip.AddrPort, borne bool) {
	s := &path.Source
	switch {
	case s.Kind == source.Address:
		return s.For(dest), true // of its family
	case !s.OfClients():
		return netip.AddrPort{}, true
	case !w.shared.admission.MayBear(client.Addr(), dest.Addr()):
		return netip.AddrPort{}, false
	}
	return s.For(client), true
}

// fallBack has the upstream of a client whose address is not borne take the
// gateway's source, where it may.
func (c *conn) fallBack(dest netip.AddrPort) error {
	w := c.w
	if w.set.RequireSource {
		return errNotBorne
	}
	w.counters.Add(count.SourceFallback, 1)
	if e := w.log.Line(count.SourceFallback, w.r.Now()); e != nil {
		e.Str("inbound", c.way.In.Tag).Stringer("client", c.from()).Stringer("dest", dest).Err(errNotBorne).
			Msg("the gateway's own source is taken instead of the client's")
	}
	return nil
}

// causeOf sorts an error of connect.
func causeOf(err error) count.Counter {
	if errors.Is(err, errNotBorne) {
		return count.RefusedSource
	}
	return upstream.CauseOf(err)
}

// connect begins the handshake of c's upstream with dest. Its socket may be
// another afterwards.
func (c *conn) connect(dest netip.AddrPort) error {
	w := c.w
	from, borne := w.sourceOf(&c.way.Path, c.from(), dest)
	if !borne {
		if err := c.fallBack(dest); err != nil {
			return err
		}
	}
	d := upstream.Dial{Path: &c.way.Path, From: from, TOS: c.tos, Ports: w.shared.Ports()}
	if c.way.In.Kind == inbound.Redirect {
		// With the client's own port, the SYN would be one of the connection that
		// REDIRECT has rewritten, and be rewritten too.
		d.Avoid = c.port
	}
	fd, kept, err := d.Connect(c.upstream.fd, dest)
	if fd != c.upstream.fd {
		c.upstream.fd = fd
		c.relay.Replace(upstreamSide, fd)
		w.shared.admission.Opened(fd)
	}
	if err == nil && !kept {
		w.counters.Add(count.SourcePortOther, 1)
	}
	return err
}

// source is what the upstream of c bears, for logs: "" where the routes chose it.
func (c *conn) source() string {
	if c.upstream.fd < 0 || !c.way.Path.Source.Foreign() {
		return ""
	}
	at, err := socket.LocalAddr(c.upstream.fd)
	if err != nil {
		return ""
	}
	return at.String()
}
