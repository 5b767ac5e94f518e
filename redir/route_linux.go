package redir

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/rs/zerolog"

	"sluice/redir/count"
	"sluice/redir/inbound"
	"sluice/redir/outbound"
	"sluice/redir/route"
	"sluice/redir/source"
)

// routes are the outbounds that are open, and which flow takes which.
type routes struct {
	outs  *outbound.Set
	spec  route.Spec
	sets  *route.Sets
	table *route.Table
}

// openRoutes opens what o names. Outbounds that are no other than now stay, with
// what is known of them.
func (s *Server) openRoutes(o *Options) (r routes, err error) {
	r.spec = o.Route
	if r.table, r.sets, err = s.openTable(o); err != nil {
		return r, err
	}
	r.outs, err = outbound.Open(o.outbounds(), s.outs.Load(), s.resolver.Dests, s.outboundChanged)
	return r, err
}

// useRoutes has what begins from now on take them.
func (s *Server) useRoutes(r routes, inbounds []*inbound.Inbound) {
	s.useTable(r.table, r.sets)
	before := s.outs.Swap(r.outs)
	s.router = outbound.NewRouter(inbounds, r.outs, &r.spec, r.table)
	for _, o := range r.outs.All {
		if before.Tagged(o.Tag) != o {
			s.warnSource("outbound", o.Tag, o.Source)
		}
	}
}

// outboundChanged counts and logs that a server went down or is up again. It is
// called on any thread, also while a reload replaces opts.
func (s *Server) outboundChanged(o *outbound.Outbound, up bool, why error) {
	if up {
		s.counters.Add(count.OutboundsUp, 1)
		s.log.Info().Str("outbound", o.Tag).Stringer("server", o.Server).Msg("an outbound's server is back")
		return
	}
	s.counters.Add(count.OutboundsDown, 1)
	line := s.log.Warn().Str("outbound", o.Tag).Stringer("server", o.Server).Err(why)
	if o.Fallback != "" {
		line = line.Str("fallback", o.Fallback)
	}
	line.Msg("an outbound's server cannot be reached: its flows take another way, or are refused, until it can, which is tried again")
}

// tellChosen logs which member of a group is taken.
func tellChosen(log zerolog.Logger) outbound.Chosen {
	return func(group, member *outbound.Outbound, delay time.Duration) {
		line := log.Info().Str("outbound", group.Tag).Str("member", member.Tag)
		if delay > 0 {
			line = line.Dur("delay", delay)
		}
		line.Msg("a group takes this member for what is new")
	}
}

// dialer is for tests, which leave as what comes by an inbound without a path of
// its own.
func (s *Server) dialer() outbound.Dialer {
	return outbound.Dialer{Lookup: s.lookup(), Now: s.group.Now,
		Dial: func(ctx context.Context, o *outbound.Outbound, to netip.AddrPort) (net.Conn, error) {
			path := o.PathFrom(*s.path.Load())
			d := net.Dialer{Control: s.control(&path, to.Addr())}
			if from := path.Source.For(to); path.Source.Kind == source.Address && from.Addr().IsValid() {
				d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(from.Addr(), 0))
			}
			return d.DialContext(ctx, "tcp", to.String())
		}}
}

// Down are the tags of the outbounds whose server was not reached of late, and of
// groups without a member that was.
func (s *Server) Down() []string { return s.outs.Load().Down() }
