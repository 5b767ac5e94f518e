package inbound

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"sluice/redir/resolve"
	"sluice/redir/socket"
	"sluice/redir/upstream"
)

// Inbound is a Spec that is open, as its listeners on all reactors see it. It
// does not change but for the sockets that no worker has taken yet.
type Inbound struct {
	Spec
	ID           uint16 // part of the NAT key
	FlowTimeout  int64  // ns; the Spec's own or the one for all
	QueryTimeout int64  // ns; likewise
	Lanes        int    // UDP sockets of each family for each worker; 0: one
	Path         upstream.Path
	Dests        *resolve.Dests // of a Direct one: where it leads now
	Foreign      bool           // listens at an address that the machine does not have
	waiting      []waitingSocket
}

// IsTransparent reports whether the sockets may have an address that the machine
// does not have.
func (in *Inbound) IsTransparent() bool { return in.Kind == TProxy || in.Kind == Direct && in.Foreign }

// waitingSocket is a bound socket, made for the worker of an index.
type waitingSocket struct {
	worker  int
	network int // SOCK_STREAM or SOCK_DGRAM
	addr    netip.AddrPort
	fd      int
}

// New is spec, not open yet.
func New(spec Spec, id uint16, otherwise Defaults) *Inbound {
	return &Inbound{
		Spec: spec, ID: id,
		FlowTimeout:  int64(cmp.Or(spec.UDPTimeout, otherwise.UDPTimeout)),
		QueryTimeout: int64(cmp.Or(spec.UDPQueryTimeout, otherwise.UDPQueryTimeout)),
		Path:         otherwise.PathOf(&spec),
	}
}

// SameAs reports whether what comes by both is treated alike.
func (in *Inbound) SameAs(other *Inbound) bool {
	return in.Spec == other.Spec && in.FlowTimeout == other.FlowTimeout && in.QueryTimeout == other.QueryTimeout && in.Path == other.Path
}

// Open opens a socket of each network named for each worker, or none, and takes
// those that are inherited instead. Ports that those of gone hold are free for it.
func (in *Inbound) Open(workers int, tcp, udp bool, gone []*Inbound, inherited *Inherited) error {
	held := slices.ContainsFunc(gone, func(g *Inbound) bool { return in.Collides(g.Spec) != "" })
	addrs := in.Addrs()
	for _, addr := range addrs {
		err := in.openAddr(addr, workers, tcp, udp, held, inherited)
		if len(addrs) > 1 && errors.Is(err, unix.EAFNOSUPPORT) {
			continue // a kernel without IPv6
		}
		if err != nil {
			in.Close()
			return err
		}
	}
	return nil
}

// openAddr opens a socket for each network and worker; held tells that sluice
// itself still has the port.
func (in *Inbound) openAddr(addr netip.AddrPort, workers int, tcp, udp, held bool, inherited *Inherited) error {
	transparent := in.IsTransparent()
	for _, n := range []struct {
		wanted  bool
		network int
		name    string
	}{{tcp, unix.SOCK_STREAM, "tcp"}, {udp, unix.SOCK_DGRAM, "udp"}} {
		if !n.wanted {
			continue
		}
		adopted, err := in.adopt(addr, workers, n.network, inherited)
		if err != nil {
			return explainListen(n.name, in.Kind, addr, err)
		}
		if !held && adopted == 0 && !inherited.holds(n.network, addr.Port()) {
			if err := socket.Probe(addr, transparent, n.network); err != nil {
				return explainListen(n.name, in.Kind, addr, err)
			}
		}
		sockets := workers
		if n.network == unix.SOCK_DGRAM {
			sockets *= max(1, in.Lanes)
		}
		for i := adopted; i < sockets; i++ {
			fd, err := socket.Listen(addr, transparent, n.network)
			if adopted > 0 && errors.Is(err, unix.EADDRINUSE) {
				break // another user's process made those (inet_rcv_saddr_equal, SO_REUSEPORT in socket(7))
			}
			if err != nil {
				return explainListen(n.name, in.Kind, addr, err)
			}
			in.waiting = append(in.waiting, waitingSocket{i % workers, n.network, addr, fd})
		}
	}
	return nil
}

// adopt takes the inherited sockets of a network and address, as many as there
// are: a worker may have several, and one may have none. It returns how many.
func (in *Inbound) adopt(addr netip.AddrPort, workers, network int, inherited *Inherited) (int, error) {
	fds := inherited.take(network, addr)
	for i, fd := range fds {
		in.waiting = append(in.waiting, waitingSocket{i % workers, network, addr, fd})
	}
	for _, fd := range fds {
		if err := socket.Adopt(fd, addr, in.IsTransparent(), network); err != nil {
			return 0, err
		}
	}
	return len(fds), nil
}

// Hand gives the sockets that were made for a worker to tcp and udp, which own
// what they take without an error. Each worker may call it on its own thread:
// they touch different sockets.
func (in *Inbound) Hand(worker int, tcp, udp func(fd int, in *Inbound) error) error {
	for i := range in.waiting {
		s := &in.waiting[i]
		if s.worker != worker || s.fd < 0 {
			continue
		}
		take := tcp
		if s.network == unix.SOCK_DGRAM {
			take = udp
		}
		if err := take(s.fd, in); err != nil {
			return fmt.Errorf("listen %s on %s: %w", in.Kind, s.addr, err)
		}
		s.fd = -1
	}
	return nil
}

// Close closes what no worker has taken.
func (in *Inbound) Close() {
	for i := range in.waiting {
		if fd := in.waiting[i].fd; fd >= 0 {
			unix.Close(fd)
			in.waiting[i].fd = -1
		}
	}
}
