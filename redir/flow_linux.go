package redir

import (
	"math"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sluice/loop"
	"sluice/nat"
)

const (
	// endsPerLook bounds how many flows one look at the table ends, so that a
	// burst of them does not hold up the turn.
	endsPerLook = 256
	// expiryGrain is the least time between two looks.
	expiryGrain = 20 * time.Millisecond
)

// flow is one client's UDP session: an unconnected socket, whose port every
// remote sees and may write to (RFC 4787, REQ-1 and REQ-8). The relay that
// made it receives from it; any worker may send on it in a turn in which it
// found it in the table.
type flow struct {
	relay *udpRelay // the owner
	fd    int
	id    uint32
	key   nat.Key
	gso   loop.GSO
	wide  atomic.Bool // has a large send buffer

	// The owner's alone:
	entry  *nat.Entry[*flow]
	bulk   bool // receives in batches
	closed bool
}

func (f *flow) client() netip.AddrPort { return f.key.Client() }

// open makes the flow of a client that has none. It returns nil when there is
// nothing to make it of.
func (r *udpRelay) open(key nat.Key, in *inbound, m *loop.Received) *nat.Entry[*flow] {
	fd, errno := r.upstreamSocket(m.Source.Addr())
	if errno != 0 {
		r.w.counters.add(DroppedNoSession, 1)
		r.dropped(FailedNoResource, 1, m.Source, m.Dest, errno)
		return nil
	}
	r.lastFlow++
	f := &flow{relay: r, fd: fd, id: r.lastFlow, key: key}
	if r.noRuns {
		f.gso.Disable()
	}
	now := r.w.r.Now()
	e, victim, inserted := r.w.flows.Insert(key, f, now, in.udpTimeout)
	if victim != nil {
		r.evict(victim)
	}
	if !inserted {
		unix.Close(fd)
		return e
	}
	f.entry = e
	r.w.counters.add(FlowsOpened, 1)
	if err := r.w.r.Add(fd, loop.Readable, f); err != nil {
		r.dropped(FailedNoResource, 1, m.Source, m.Dest, err)
		if r.w.flows.Remove(e) {
			r.end(e)
		}
		return nil
	}
	r.expireBy(now + in.udpTimeout)
	return e
}

// upstreamSocket makes a socket of the client's family. When fds have run out
// it gives up a write-back socket for it, and a session for the
// next.
func (r *udpRelay) upstreamSocket(client netip.Addr) (int, syscall.Errno) {
	fd, errno := openUpstream(client, r.w.set.mark)
	switch errno {
	case unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM:
		r.evictOne()
		if r.toClient.giveUpOne() {
			fd, errno = openUpstream(client, r.w.set.mark)
		}
	}
	return fd, errno
}

func openUpstream(client netip.Addr, mark uint32) (int, syscall.Errno) {
	fd, errno := socket(family(client), unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	if errno != 0 {
		return -1, errno
	}
	if mark != 0 {
		if errno = setInt(fd, unix.SOL_SOCKET, unix.SO_MARK, int32(mark)); errno != 0 {
			unix.Close(fd)
			return -1, errno
		}
	}
	return fd, 0
}

// hasPort reports whether f has a port of its own, which the first datagram
// takes (inet_autobind in net/ipv4/af_inet.c). When none is left in
// net.ipv4.ip_local_port_range, which is well below the default bound of the
// table, that fails with EAGAIN, just as a full send buffer does.
func (f *flow) hasPort() bool {
	local, err := localAddr(f.fd)
	return err != nil || local.Port() != 0
}

// becomeBulk spends two system calls on a flow that receives in batches, which
// most flows (a question and an answer) never need.
func (f *flow) becomeBulk() {
	f.bulk = true
	setInt(f.fd, unix.SOL_UDP, unix.UDP_GRO, 1)
	setBuffer(f.fd, unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, bulkBuffer)
}

// evictOne ends the session that would make room in a full table.
func (r *udpRelay) evictOne() {
	if e := r.w.flows.Evict(r.w.r.Now()); e != nil {
		r.evict(e)
	}
}

// evict ends a flow that lost its place in the table to another.
func (r *udpRelay) evict(e *nat.Entry[*flow]) {
	r.w.counters.add(FlowsEvicted, 1)
	r.end(e)
}

// end gives back what a flow held, after the entry was removed from the table.
// Its owner does it, since the fd is registered there.
func (r *udpRelay) end(e *nat.Entry[*flow]) {
	r.w.counters.add(FlowsClosed, 1)
	f := e.Value
	owner := f.relay
	if owner == r {
		f.retire(r)
		return
	}
	owner.mu.Lock()
	owner.handed = append(owner.handed, f)
	first := len(owner.handed) == 1
	owner.mu.Unlock()
	if first && !owner.w.r.Post(owner.retireHanded) {
		r.retireFor(owner) // it has stopped, and looks at nothing any more
	}
}

func (r *udpRelay) retireAllHanded() { r.retireFor(r) }

// retireFor closes, when no worker can use them any more, the sockets of flows
// that were handed to their owner.
func (r *udpRelay) retireFor(owner *udpRelay) {
	owner.mu.Lock()
	handed := owner.handed
	owner.handed = nil
	owner.mu.Unlock()
	for _, f := range handed {
		f.retire(r)
	}
}

func (f *flow) retire(r *udpRelay) {
	if !f.closed {
		f.closed = true
		r.w.r.Retire(f.fd)
	}
}

// expireBy sees to it that the table is looked at by a time (ns of
// Reactor.Now).
func (r *udpRelay) expireBy(at int64) {
	if !r.expiry.Armed() || r.expiry.Deadline() > at {
		r.w.r.Arm(&r.expiry, r, max(expiryGrain, time.Duration(at-r.w.r.Now())))
	}
}

// Expired ends the flows that have been idle for their timeout. When none is
// left, neither are the buffers.
func (r *udpRelay) Expired(now int64) {
	next := r.w.flows.Expire(now, endsPerLook, r.end)
	if next != math.MaxInt64 {
		r.expireBy(next)
		return
	}
	r.flush()
	r.toUpstream.slots.Trim()
	r.toClient.slots.Trim()
}
