package redir

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"sluice/redir/inbound"
	"sluice/redir/resolve"
	"sluice/redir/upstream"
)

// resolvePatience is how long a start or a reload waits for names to be resolved:
// a gateway that boots may have no DNS yet, and goes on without.
const resolvePatience = 2 * time.Second

// lead gives a forward the addresses to which it leads.
func (s *Server) lead(in *inbound.Inbound) {
	if in.Kind == inbound.Direct {
		in.Dests = s.resolver.Dests(in.Dest)
	}
}

// keepNames lets go of the names to which no inbound or outbound leads that is open.
func (s *Server) keepNames() {
	var targets []resolve.Target
	for _, in := range s.inbounds {
		targets = append(targets, in.Dest)
	}
	for _, o := range s.outs.Load().All {
		targets = append(targets, o.Targets()...)
	}
	s.resolver.Keep(targets)
}

// lookup asks the DNS servers of the system, and its files, without the C
// library. Its sockets bear the mark of upstream ones, so that rules for the
// gateway's own traffic do not divert them to sluice.
func (s *Server) lookup() resolve.Lookup {
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		path := upstream.Path{Mark: s.path.Load().Mark}
		d := net.Dialer{Control: s.control(&path, netip.IPv4Unspecified())}
		return d.DialContext(ctx, network, address)
	}
	resolver := net.Resolver{PreferGo: true, Dial: dial}
	return func(ctx context.Context, host string) ([]netip.Addr, error) {
		return resolver.LookupNetIP(ctx, "ip", host)
	}
}

// Lookup is how names are looked up for other parts of the program.
func (s *Server) Lookup() resolve.Lookup { return s.lookup() }

// control makes sockets of the library's take a path towards addresses of a family,
// and sluice know them as its own.
func (s *Server) control(path *upstream.Path, family netip.Addr) func(_, _ string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		var inner error
		err := c.Control(func(fd uintptr) {
			inner = path.Apply(int(fd), family)
			s.admission.Opened(int(fd))
		})
		return cmp.Or(err, inner)
	}
}

// tellResolved logs from goroutines of the resolver's, which must not read opts: a
// reload replaces them.
func tellResolved(log zerolog.Logger) func(resolve.Target, []netip.AddrPort, error) {
	return func(t resolve.Target, addrs []netip.AddrPort, err error) {
		switch {
		case err == nil:
			log.Info().Stringer("dest", t).Strs("addresses", texts(addrs)).Msg("what a forward or an outbound leads to is resolved")
		case len(addrs) == 0:
			log.Warn().Stringer("dest", t).Err(err).Msg("what a forward or an outbound leads to cannot be resolved: its clients are refused until it can, which is tried again")
		default:
			log.Warn().Stringer("dest", t).Err(err).Strs("addresses", texts(addrs)).
				Msg("what a forward or an outbound leads to cannot be resolved again: it keeps the addresses that it had")
		}
	}
}

func texts(addrs []netip.AddrPort) (all []string) {
	for _, a := range addrs {
		all = append(all, a.Addr().String())
	}
	return all
}
