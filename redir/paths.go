package redir

import (
	"fmt"
	"net/netip"
	"slices"

	"sluice/redir/inbound"
	"sluice/redir/outbound"
	"sluice/redir/source"
	"sluice/redir/upstream"
)

// outbounds are those that are named, and those that the routes imply.
func (o *Options) outbounds() []outbound.Spec { return outbound.Implied(o.Outbounds, &o.Route) }

// paths calls each with an inbound and how what comes by it leaves: once, or for
// every outbound that dials, whichever of them the rules lead to. What the kernel
// is to forward and comes here all the same is dialled too.
func (o *Options) paths(each func(in *inbound.Spec, path *upstream.Path)) {
	defaults, outs := o.defaults(), o.outbounds()
	for i := range o.Inbounds {
		in := &o.Inbounds[i]
		own := defaults.PathOf(in)
		if len(outs) == 0 {
			each(in, &own)
		}
		for j := range outs {
			if out := &outs[j]; out.Kind != outbound.Block && out.Kind != outbound.Group {
				path := out.PathFrom(own)
				each(in, &path)
			}
		}
	}
}

// marks are those of upstream sockets, without 0.
func (o *Options) marks() (marks []uint32) {
	add := func(mark uint32) {
		if mark != 0 && !slices.Contains(marks, mark) {
			marks = append(marks, mark)
		}
	}
	defaults := o.defaults()
	for i := range o.Inbounds { // what an inbound had begun that is closed meanwhile
		path := defaults.PathOf(&o.Inbounds[i])
		add(path.Mark)
	}
	o.paths(func(_ *inbound.Spec, path *upstream.Path) { add(path.Mark) })
	for i := range o.Outbounds { // of tests
		path := o.Outbounds[i].PathFrom(o.Path)
		add(path.Mark)
	}
	return marks
}

// sources reports whether UDP sessions of some inbound have sockets of their own,
// and whether those of some bear their client's address and have none.
func (o *Options) sources() (socketed, sourced bool) {
	o.paths(func(in *inbound.Spec, path *upstream.Path) {
		if in.UDP {
			of := path.Source.OfClients()
			socketed, sourced = socketed || !of, sourced || of
		}
	})
	return socketed, sourced
}

// bear reports whether upstream sockets of some inbound bear clients' addresses.
func (o *Options) bear() (bear bool) {
	o.paths(func(_ *inbound.Spec, path *upstream.Path) { bear = bear || path.Source.OfClients() })
	return bear
}

// outboundsBear reports whether those of some outbound do, whatever their inbounds
// say.
func (o *Options) outboundsBear() bool {
	return slices.ContainsFunc(o.Outbounds, func(out outbound.Spec) bool { return out.Source.OfClients() })
}

// validateOutbounds finds fault with outbounds, and with what they do to the
// inbounds.
func (o *Options) validateOutbounds() error {
	if err := outbound.Validate(o.Outbounds); err != nil {
		return err
	}
	for i := range o.Outbounds {
		out := &o.Outbounds[i]
		if out.Mark != 0 {
			if err := o.validateMark(out.Mark); err != nil {
				return fmt.Errorf("outbound %q: %w", out.Tag, err)
			}
		}
		for _, in := range o.Inbounds {
			if in.Kind == inbound.Redirect && out.Source.Kind == source.Client {
				return fmt.Errorf("outbound %q: %w", out.Tag, errClientsPort)
			}
		}
	}
	return nil
}

// findLoop finds a forward or an outbound that leads to a listener of sluice's own,
// as far as it is an address, and isOwn knows the gateway's.
func (o *Options) findLoop(isOwn func(netip.Addr) bool) error {
	for _, in := range o.Inbounds {
		if other := o.listensAt(in.Dest.AddrPort(), isOwn); other != nil {
			return fmt.Errorf("%s: leads to where sluice itself listens (%s %s), and so in a circle; name another destination", &in, other.Kind, other.Listen)
		}
		if slices.ContainsFunc(o.Reserved, func(at netip.AddrPort) bool { return isReserved(at, in.Dest.AddrPort(), isOwn) }) {
			return fmt.Errorf("%s: leads to sluice's own --control, which is for nobody's clients; name another destination", &in)
		}
	}
	for i := range o.Outbounds {
		out := &o.Outbounds[i]
		for _, at := range out.Addrs() {
			if other := o.listensAt(at, isOwn); other != nil {
				return fmt.Errorf("outbound %q: its server %s is where sluice itself listens (%s %s), and so in a circle; name another server", out.Tag, at, other.Kind, other.Listen)
			}
		}
	}
	return nil
}

// listensAt is the inbound that listens at an address; nil: none does.
func (o *Options) listensAt(to netip.AddrPort, isOwn func(netip.Addr) bool) *inbound.Spec {
	if !to.IsValid() {
		return nil
	}
	for i := range o.Inbounds {
		for _, at := range o.Inbounds[i].Addrs() {
			if isAt(at, to, isOwn) {
				return &o.Inbounds[i]
			}
		}
	}
	return nil
}

// isReserved is isAt for a reserved address, of which [::] is that of both families.
func isReserved(reserved, to netip.AddrPort, isOwn func(netip.Addr) bool) bool {
	both := reserved.Addr() == netip.IPv6Unspecified()
	return isAt(reserved, to, isOwn) || both && isAt(netip.AddrPortFrom(netip.IPv4Unspecified(), reserved.Port()), to, isOwn)
}

// isAt tells whether what is sent to an address arrives where somebody listens.
func isAt(listen, to netip.AddrPort, isOwn func(netip.Addr) bool) bool {
	return listen == to || to.IsValid() && listen.Port() == to.Port() && listen.Addr().IsUnspecified() && listen.Addr().Is4() == to.Addr().Is4() && isOwn(to.Addr())
}
