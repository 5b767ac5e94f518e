package redir

import (
	"net/netip"

	"sluice/redir/inbound"
)

// openInbounds opens the listeners of all inbounds, or none. Ports that those
// of gone hold are free for them.
func (s *Server) openInbounds(specs []inbound.Spec, gone []*inbound.Inbound, otherwise inbound.Defaults) ([]*inbound.Inbound, error) {
	var opened []*inbound.Inbound
	for _, spec := range specs {
		s.lastID++
		in := inbound.New(spec, s.lastID, otherwise)
		in.Lanes = s.lanes
		if err := in.Open(len(s.workers), in.TCP, in.UDP, gone, s.opts.Inherited); err != nil {
			closeInbounds(opened)
			return nil, err
		}
		s.warnForeign(in)
		s.warnSource(in)
		opened = append(opened, in)
	}
	return opened, nil
}

// warnForeign tells of an address that may come later, or be a slip of the pen:
// a listener takes both alike.
func (s *Server) warnForeign(in *inbound.Inbound) {
	for _, addr := range in.Addrs() {
		if in.Kind == inbound.Redirect && !addr.Addr().IsUnspecified() && !s.admission.IsOwn(addr.Addr()) {
			s.opts.Log.Warn().Str("inbound", in.Tag).Stringer("listen", addr).
				Msg("this machine does not have the address yet; what is redirected there is refused until it does")
		}
	}
}

// warnSource tells of a source that the machine does not have: whether it is routed
// here, others know.
func (s *Server) warnSource(in *inbound.Inbound) {
	for _, addr := range []netip.Addr{in.Path.Source.IPv4, in.Path.Source.IPv6} {
		if addr.IsValid() && !s.admission.IsOwn(addr) {
			s.opts.Log.Warn().Str("inbound", in.Tag).Stringer("source", addr).
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
