package redir

import (
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"sluice/redir/outbound"
	"sluice/redir/udp"
)

// Who owns the fds of the process. What is for all or for a worker is counted
// whether it is open or not; the rest is shared out.
const (
	// reservedFDs are the process' own: standard error, what the Go runtime waits
	// with, netlink sockets (own addresses, rules and who touches them, sets), those
	// that ask for names, files that are read while running (pressure.Watch: 40 at
	// most; configuration, /proc), the service manager's socket, and the control
	// socket with those who are connected (control.MostConns).
	reservedFDs = 192
	// fdsPerWorker are a reactor's engine (3, and its ring), the socket that asks the kernel
	// whose a client is (1), raw sockets for ICMP errors (2), the reserve with which
	// clients are refused (1), an accepted client that is about to be refused (1), a
	// session's socket until its victim's is retired (1), a file that the worker
	// reads, and room.
	fdsPerWorker = 16
	// fdsPerConn are a connection's two sockets.
	fdsPerConn = 2
	// fdsPerRelayed are those of a session that a SOCKS5 server relays: its socket, and
	// its connection with the server. Which sessions those are rules decide, so each
	// may be one where there is such a server.
	fdsPerRelayed = 2
	// fdsPerPipe are a pipe's two ends.
	fdsPerPipe = 2
	// mostWriteBacks bounds the write-back sockets of one worker: one for each
	// source port of the replies that it sends at a time.
	mostWriteBacks = 1024
	// mostOutlets bounds the outlets of one worker: one for each port of the clients
	// whose address upstreams bear. The one used longest ago gives way, and is opened
	// again in some 20 us.
	mostOutlets = 1 << 14
	// leastEnding and mostEnding bound the sockets of sessions that have ended,
	// which another worker may still be using in its turn.
	leastEnding, mostEnding = 16, 4096
	// endingPart is their share, as 1/endingPart: at 25,000 new sessions a second,
	// 300 are those of 12 ms, and a turn takes less.
	endingPart = 64
	// mostSpares bounds the sockets of a family that one worker keeps for its next
	// sessions: those that one turn may end and the next open.
	mostSpares = 64
	// families are IPv4 and IPv6.
	families = 2
	// sparePorts is the share of ports that is left, as 1/sparePorts: to others on
	// the gateway, and to sessions whose victims have not given theirs back yet.
	sparePorts = 32
	// mostPipes bounds the pipes of one worker: a direction has one only while
	// bytes are stuck in it.
	mostPipes = 512
	// leastLeft is how few fds may be left to be shared out.
	leastLeft = 64
)

// budget shares out the fds that the process may have.
type budget struct {
	fds        int
	listeners  int
	conns      int
	flows      int
	flowsBound string // what set sessions: a flag, a limit or a sysctl
	sourced    int    // sessions without fds, which bear their client's address
	outlets    int    // per worker
	pipes      int    // per worker
	writeBacks int    // per worker
	spares     int    // per worker and family
	ending     int
	shrunk     bool // made by shrink
}

func (b *budget) udp() udp.Bounds {
	return udp.Bounds{Flows: b.flows, Sourced: b.sourced, WriteBacks: b.writeBacks, Outlets: b.outlets, Spares: b.spares, Ending: b.ending}
}

// sessions is how many UDP sessions there may be of the kind of which there may
// be most.
func (b *budget) sessions() int { return max(b.flows, b.sourced) }

// raiseFDLimit raises RLIMIT_NOFILE to its hard limit, and returns it.
func raiseFDLimit() (int, error) {
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		return 0, os.NewSyscallError("getrlimit", err)
	}
	lim.Cur = lim.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		return 0, os.NewSyscallError("setrlimit", err)
	}
	return int(min(lim.Max, mostFDs)), nil
}

// fdLimit is RLIMIT_NOFILE as it is now.
func fdLimit() (int, error) {
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		return 0, os.NewSyscallError("getrlimit", err)
	}
	return int(min(lim.Cur, mostFDs)), nil
}

// mostFDs is more than any limit lets a process have.
const mostFDs = 1 << 30

// needs is what o takes whatever the traffic: networks, and listeners with the
// spare socket that each TCP one has for the next upstream.
func (o *Options) needs(workers, lanes int) (tcp, udp bool, listeners int) {
	defaults := o.defaults()
	for _, in := range o.Inbounds {
		if defaults.Returns(&in) {
			listeners += len(in.ReturnAddrs()) * workers
		}
		tcp, udp = tcp || in.TCP, udp || in.UDP
		if in.TCP {
			listeners += 2 * len(in.Addrs()) * workers
		}
		if in.UDP {
			listeners += len(in.Addrs()) * workers * lanes
		}
	}
	return tcp, udp, listeners
}

// plan shares out limit fds. UDP sessions have one or two each and may take a third
// of them where there is TCP too, but no more than there are ports; pipes an
// eighth. (The kernel's own quota of pipe pages is found out when a pipe is wanted: splice
// copies where it is used up.)
func plan(o *Options, limit, workers, lanes, ports int) (budget, error) {
	tcp, udp, listeners := o.needs(workers, lanes)
	left := limit - reservedFDs - fdsPerWorker*workers
	if left >= leastLeft && left-listeners < leastLeft {
		return budget{}, fmt.Errorf("the fd limit is %d: too low for %d inbounds with %d reactors, whose listeners take %d; raise it (ulimit -Hn, LimitNOFILE=), or lower --reactors",
			limit, len(o.Inbounds), workers, listeners)
	}
	if left -= listeners; left < leastLeft {
		return budget{}, fmt.Errorf("the fd limit is %d: too low; raise it (ulimit -Hn, LimitNOFILE=)", limit)
	}
	b := share(o, left, workers, ports, tcp, udp)
	b.fds, b.listeners = limit, listeners
	if tcp && b.conns < 1 || udp && b.flows < 1 {
		return budget{}, fmt.Errorf("the fd limit is %d: too low for %d reactors; raise it (ulimit -Hn, LimitNOFILE=), or lower --reactors", limit, workers)
	}
	return b, nil
}

// share shares out what is left.
func share(o *Options, left, workers, ports int, tcp, udp bool) (b budget) {
	b.writeBacks = max(8, min(mostWriteBacks, left/16/workers))
	b.pipes = max(1, min(mostPipes, left/8/fdsPerPipe/workers))
	if udp {
		b.ending = max(leastEnding, min(mostEnding, left/endingPart))
		b.spares = min(mostSpares, left/endingPart/workers)
		left -= b.ending + (b.writeBacks+b.spares*families)*workers
		most := left
		if tcp {
			most = left / 3
		}
		outlets := b.shareOutlets(o, most, workers)
		most -= outlets
		left -= outlets
		b.flows, b.flowsBound = o.UDPSessions, "--udp-sessions"
		each := o.fdsPerFlow()
		if most /= each; most < b.flows {
			b.flows, b.flowsBound = most, "fd_limit"
		}
		if ports -= ports / sparePorts; ports < b.flows {
			b.flows, b.flowsBound = ports, "ip_local_port_range"
		}
		left -= b.flows * each
		if b.sourced > b.flows {
			b.flowsBound = "--udp-sessions"
		}
	}
	if tcp {
		left -= b.pipes * workers * fdsPerPipe
		b.conns = left / fdsPerConn
		if o.MaxConns > 0 {
			b.conns = min(b.conns, o.MaxConns)
		}
	}
	return b
}

// fdsPerFlow is how many a UDP session may take that has any.
func (o *Options) fdsPerFlow() int {
	if slices.ContainsFunc(o.Outbounds, func(out outbound.Spec) bool { return out.Kind == outbound.Socks }) {
		return fdsPerRelayed
	}
	return 1
}

// shareOutlets takes what outlets need of the fds of UDP: half, where there are
// sessions with sockets too, else nearly all. It returns how many that is.
func (b *budget) shareOutlets(o *Options, most, workers int) int {
	socketed, sourced := o.sources()
	if !sourced {
		return 0
	}
	b.sourced = o.UDPSessions
	part := most - most/8
	if socketed {
		part = most / 2
	}
	b.outlets = max(1, min(mostOutlets, part/workers))
	return b.outlets * workers
}

// shrink is the plan for a limit that somebody has lowered below what any plan
// could be made for, to a process that holds so many fds without traffic: what is
// left is shared out all the same.
func shrink(o *Options, limit, held, workers, lanes int) budget {
	tcp, udp, listeners := o.needs(workers, lanes)
	left := max(leastLeft/2, limit-held)
	b := budget{shrunk: true, fds: limit, listeners: listeners, pipes: 1, writeBacks: max(1, left/16/workers)}
	if udp {
		b.ending = leastEnding
		most := left / 4
		most -= b.shareOutlets(o, most, workers)
		b.flows, b.flowsBound = max(1, min(o.UDPSessions, most/o.fdsPerFlow())), "fd_limit"
		if b.sourced > b.flows {
			b.flowsBound = "--udp-sessions"
		}
	}
	if tcp {
		b.conns = left / 2 / fdsPerConn
		if o.MaxConns > 0 {
			b.conns = min(b.conns, o.MaxConns)
		}
	}
	return b
}
