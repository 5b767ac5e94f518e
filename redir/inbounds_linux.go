package redir

import (
	"net/netip"

	"sluice/redir/inbound"
	"sluice/redir/source"
)

// openInbounds opens the listeners of all inbounds, or none. Ports that those
// of gone hold are free for them.
func (s *Server) openInbounds(specs []inbound.Spec, gone []*inbound.Inbound, otherwise inbound.Defaults) ([]*inbound.Inbound, error) {
	var opened []*inbound.Inbound
	for _, spec := range specs {
		s.lastID++
		in := inbound.New(spec, s.lastID, otherwise)
		in.Lanes = s.lanes
		in.Foreign = in.IsSpecific() && !s.admission.IsOwn(in.Listen.Addr().Unmap())
		s.lead(in)
		if err := in.Open(len(s.workers), in.TCP, in.UDP, in.Returns, gone, s.opts.Inherited); err != nil {
			closeInbounds(opened)
			return nil, err
		}
		s.tellForeign(in)
		s.warnSource("inbound", in.Tag, in.Path.Source)
		opened = append(opened, in)
	}
	return opened, nil
}

// tellForeign tells of an address that may come later, be meant for others, or be
// a slip of the pen: a listener takes them all alike.
func (s *Server) tellForeign(in *inbound.Inbound) {
	switch {
	case !in.Foreign:
	case in.Kind == inbound.Redirect:
		s.opts.Log.Warn().Str("inbound", in.Tag).Stringer("listen", in.Listen).
			Msg("this machine does not have the address yet; what is redirected there is refused until it does")
	default:
		s.opts.Log.Info().Str("inbound", in.Tag).Stringer("listen", in.Listen).
			Msg("this machine does not have the address: what is routed here for it arrives by a rule that matches transparent sockets, and the policy route")
	}
}

// warnSource tells of a source that the machine does not have: whether it is routed
// here, others know.
func (s *Server) warnSource(of, tag string, from source.Source) {
	for _, addr := range []netip.Addr{from.IPv4, from.IPv6} {
		if addr.IsValid() && !s.admission.IsOwn(addr) {
			s.opts.Log.Warn().Str(of, tag).Stringer("source", addr).
				Msg("this machine does not have the source's address: replies come back only if it is routed here, and rules divert them or a local route delivers them (ip route add local ADDR dev lo)")
		}
	}
}

// closeInbounds closes what no worker has taken over.
func closeInbounds(inbounds []*inbound.Inbound) {
	for _, in := range inbounds {
		in.Close()
	}
}
