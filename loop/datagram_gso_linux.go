package loop

import (
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// GSO is what a socket has learnt of the runs that the kernel refuses. The
// zero GSO allows all. Reactors may share one.
type GSO struct {
	refused atomic.Uint32 // length of the shortest datagrams refused in a run; 0: none
}

// all refuses runs of one byte each, and so every run.
const all = 1

func (g *GSO) allows(segment int) bool {
	refused := g.refused.Load()
	return segment > 0 && (refused == 0 || segment < int(refused))
}

func (g *GSO) refuse(segment int) {
	if g.allows(segment) {
		g.refused.Store(uint32(segment))
	}
}

// Disable refuses all runs for good, where the kernel has no UDP_SEGMENT.
func (g *GSO) Disable() { g.refused.Store(all) }

// Forget allows all again, since routes and devices change, unless disabled.
func (g *GSO) Forget() {
	if refused := g.refused.Load(); refused > all {
		g.refused.CompareAndSwap(refused, 0)
	}
}

// refusesRun reports whether a run failed in a way in which its datagrams alone
// might not (udp_send_skb in net/ipv4/udp.c):
//
//   - EINVAL, from Linux 6.10 on EMSGSIZE: a datagram is longer than the path's MTU;
//   - EIO: the device leaves checksums to the CPU, before Linux 6.11;
func refusesRun(errno syscall.Errno) bool {
	switch errno {
	case unix.EINVAL, unix.EMSGSIZE, unix.EIO:
		return true
	}
	return false
}
