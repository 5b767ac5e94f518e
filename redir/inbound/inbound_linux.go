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
	Returns      bool           // takes UDP replies to clients whose address upstreams bear
	Followed     bool           // those of another process too, whose sockets it took over
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
	returns bool
	addr    netip.AddrPort
	fd      int
}

// New is spec, not open yet.
func New(spec Spec, id uint16, otherwise Defaults) *Inbound {
	path := otherwise.PathOf(&spec)
	return &Inbound{
		Spec: spec, ID: id,
		FlowTimeout:  int64(cmp.Or(spec.UDPTimeout, otherwise.UDPTimeout)),
		QueryTimeout: int64(cmp.Or(spec.UDPQueryTimeout, otherwise.UDPQueryTimeout)),
		Path:         path,
		Returns:      otherwise.Returns(&spec),
	}
}

// SameAs reports whether what comes by both is treated alike.
func (in *Inbound) SameAs(other *Inbound) bool {
	return in.Spec == other.Spec && in.FlowTimeout == other.FlowTimeout && in.QueryTimeout == other.QueryTimeout && in.Path == other.Path && in.Returns == other.Returns
}

// Open opens a socket of each network named for each worker, and one for
// replies, or none, and takes those that are inherited instead. Ports that those
// of gone hold are free for it.
func (in *Inbound) Open(workers int, tcp, udp, returns bool, gone []*Inbound, inherited *Inherited) error {
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
	if !returns {
		return nil
	}
	if err := in.openReturns(workers, inherited); err != nil {
		in.Close()
		return err
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
		adopted, err := in.adopt(waitingSocket{network: n.network, addr: addr}, workers, transparent, inherited)
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
			in.waiting = append(in.waiting, waitingSocket{worker: i % workers, network: n.network, addr: addr, fd: fd})
		}
	}
	return nil
}

// adopt takes the inherited sockets that are like s, as many as there are: a
// worker may have several, and one may have none. It returns how many.
func (in *Inbound) adopt(s waitingSocket, workers int, transparent bool, inherited *Inherited) (int, error) {
	fds := inherited.take(s.network, s.addr)
	for i, fd := range fds {
		s.worker, s.fd = i%workers, fd
		in.waiting = append(in.waiting, s)
	}
	for _, fd := range fds {
		if err := socket.Adopt(fd, s.addr, transparent, s.network); err != nil {
			return 0, err
		}
	}
	return len(fds), nil
}

// Hand gives the sockets that were made for a worker to tcp and udp, and to
// returns those for replies, which own what they take without an error. Each
// worker may call it on its own thread: they touch different sockets.
func (in *Inbound) Hand(worker int, tcp, udp, returns func(fd int, in *Inbound) error) error {
	for i := range in.waiting {
		s := &in.waiting[i]
		if s.worker != worker || s.fd < 0 {
			continue
		}
		take := tcp
		switch {
		case s.returns:
			take = returns
		case s.network == unix.SOCK_DGRAM:
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
