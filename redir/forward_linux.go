package redir

import (
	"context"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"sluice/redir/inbound"
	"sluice/redir/resolve"
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

// keepNames lets go of the names to which no open inbound leads.
func (s *Server) keepNames() {
	var targets []resolve.Target
	for _, in := range s.inbounds {
		targets = append(targets, in.Dest)
	}
	s.resolver.Keep(targets)
}

// lookup asks the DNS servers of the system, and its files, without the C
// library. Its sockets bear the mark of upstream ones, so that rules for the
// gateway's own traffic do not divert them to sluice.
func (s *Server) lookup() resolve.Lookup {
	mark := func(_, _ string, c syscall.RawConn) error {
		errno := error(nil)
		err := c.Control(func(fd uintptr) {
			if mark := s.mark.Load(); mark != 0 {
				errno = os.NewSyscallError("setsockopt SO_MARK", unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, int(mark)))
			}
			s.admission.Opened(int(fd))
		})
		if err != nil {
			return err
		}
		return errno
	}
	resolver := net.Resolver{PreferGo: true, Dial: (&net.Dialer{Control: mark}).DialContext}
	return func(ctx context.Context, host string) ([]netip.Addr, error) {
		return resolver.LookupNetIP(ctx, "ip", host)
	}
}

// tellResolved logs from goroutines of the resolver's, which must not read opts: a
// reload replaces them.
func tellResolved(log zerolog.Logger) func(resolve.Target, []netip.AddrPort, error) {
	return func(t resolve.Target, addrs []netip.AddrPort, err error) {
		switch {
		case err == nil:
			log.Info().Stringer("dest", t).Strs("addresses", texts(addrs)).Msg("a forward's destination is resolved")
		case len(addrs) == 0:
			log.Warn().Stringer("dest", t).Err(err).Msg("a forward's destination cannot be resolved: its clients are refused until it can, which is tried again")
		default:
			log.Warn().Stringer("dest", t).Err(err).Strs("addresses", texts(addrs)).
				Msg("a forward's destination cannot be resolved again: it keeps the addresses that it had")
		}
	}
}

func texts(addrs []netip.AddrPort) (all []string) {
	for _, a := range addrs {
		all = append(all, a.Addr().String())
	}
	return all
}
