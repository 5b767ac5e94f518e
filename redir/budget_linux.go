package redir

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

const (
	// reservedFDs are for listeners, engines, netlink, logs and the runtime.
	reservedFDs = 256
	// fdsPerConn are a connection's two sockets.
	fdsPerConn = 2
	// fdsPerPipe are a pipe's two ends.
	fdsPerPipe = 2
	// mostWriteBacks bounds the write-back sockets of one worker: one for each
	// source port of the replies that it sends at a time.
	mostWriteBacks = 1024
	// sparePorts is the share of ports that is left, as 1/sparePorts: to others on
	// the gateway, and to sessions whose victims have not given theirs back yet.
	sparePorts = 32
	// mostPipes bounds the pipes of one worker: a direction has one only while
	// bytes are stuck in it.
	mostPipes = 512
)

// budget shares out the fds that the process may have.
type budget struct {
	fds        int
	conns      int
	flows      int
	flowsBound string // what set flows: a flag, a limit or a sysctl
	pipes      int    // per worker
	writeBacks int    // per worker
}

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
	return int(min(lim.Max, 1<<30)), nil
}

// plan shares out limit fds. UDP sessions have one each and may take a third
// of them where there is TCP too, but no more than there are ports; pipes an
// eighth. (The kernel's own quota of pipe pages is found out when a pipe is wanted: splice
// copies where it is used up.)
func plan(o *Options, limit, workers, ports int) (budget, error) {
	tcp, udp := false, false
	for _, in := range o.Inbounds {
		tcp, udp = tcp || in.TCP, udp || in.UDP
	}
	left := limit - reservedFDs - 16*workers
	if left < 64 {
		return budget{}, fmt.Errorf("the fd limit is %d: too low; raise it (ulimit -Hn, LimitNOFILE=)", limit)
	}
	b := budget{fds: limit}
	b.writeBacks = max(8, min(mostWriteBacks, left/16/workers))
	b.pipes = max(1, min(mostPipes, left/8/fdsPerPipe/workers))
	if udp {
		left -= b.writeBacks * workers
		share := left
		if tcp {
			share = left / 3
		}
		b.flows, b.flowsBound = o.UDPSessions, "--udp-sessions"
		if share < b.flows {
			b.flows, b.flowsBound = share, "fd_limit"
		}
		if ports -= ports / sparePorts; ports < b.flows {
			b.flows, b.flowsBound = ports, "ip_local_port_range"
		}
		left -= b.flows
	}
	if tcp {
		left -= b.pipes * workers * fdsPerPipe
		b.conns = left / fdsPerConn
		if o.MaxConns > 0 {
			b.conns = min(b.conns, o.MaxConns)
		}
	}
	if tcp && b.conns < 1 || udp && b.flows < 1 {
		return budget{}, fmt.Errorf("the fd limit is %d: too low for %d reactors; raise it (ulimit -Hn, LimitNOFILE=), or lower --reactors", limit, workers)
	}
	return b, nil
}
