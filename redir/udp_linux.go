package redir

import (
	"net/netip"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"sluice/loop"
	"sluice/nat"
)

const (
	// listenerBuffer is the receive buffer of a listener, in bytes: the kernel
	// counts a run of 64 KiB at up to twice that, and its default holds three.
	listenerBuffer = 4 << 20
	// bulkBuffer is that of a flow which receives faster than one at a time, and
	// the send buffer of a write-back socket and of a flow which sends bulkTurn in
	// a turn, in bytes: the default holds three runs, while a turn may bring as
	// many as a batch has slots.
	bulkBuffer = 4 << 20
	bulkTurn   = 32 << 10
)

// udpRelay is the UDP half of a worker. All of it is the worker's own, but for
// handed, through which other workers give back flows that they have ended.
//
//	listener ─► toUpstream.slots ─► groups, one per flow ─────► flow.fd
//	client ◄─ write-back, one per port ◄─ toClient.slots ◄───── flow.fd
//
// Both directions gather over the turn, and send when its slots are full or it
// ends.
type udpRelay struct {
	w          *worker
	listeners  []*udpListener
	toUpstream upstreamQueue
	toClient   clientQueue
	out        *loop.SendBatch // scratch of both directions
	noRuns     bool            // the kernel has no UDP_SEGMENT
	lastFlow   uint32          // id
	expiry     loop.Timer
	closed     bool

	mu           sync.Mutex
	handed       []*flow // ended by other workers; to be retired by this one
	retireHanded func()
}

func newUDPRelay(w *worker) (*udpRelay, error) {
	r := &udpRelay{w: w, out: loop.NewSendBatch(w.batch), noRuns: !kernelHasRuns()}
	r.retireHanded = r.retireAllHanded
	if err := r.toUpstream.init(w.batch); err != nil {
		return nil, err
	}
	if err := r.toClient.init(r); err != nil {
		r.toUpstream.slots.Close()
		return nil, err
	}
	w.r.OnTurnEnd(r.flush)
	return r, nil
}

// kernelHasRuns reports whether UDP_SEGMENT exists: older kernels ignore it,
// and would send a run as one datagram.
func kernelHasRuns() bool {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	_, err = unix.GetsockoptInt(fd, unix.SOL_UDP, unix.UDP_SEGMENT)
	return err == nil
}

// flush sends what the turn has gathered.
func (r *udpRelay) flush() {
	if r.toUpstream.used > 0 {
		r.flushUpstream()
	}
	if r.toClient.used > 0 {
		r.flushClient()
	}
}

// udpListener is one worker's socket of an inbound, for one family.
type udpListener struct {
	relay *udpRelay
	in    *inbound
	fd    int // -1: closed
}

// listen takes over a bound transparent socket. On error fd stays the caller's.
func (r *udpRelay) listen(fd int, in *inbound) error {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return os.NewSyscallError("getsockname", err)
	}
	original := option{"IP_RECVORIGDSTADDR", unix.SOL_IP, unix.IP_RECVORIGDSTADDR, 1}
	if _, ok := sa.(*unix.SockaddrInet6); ok {
		original = option{"IPV6_RECVORIGDSTADDR", unix.SOL_IPV6, unix.IPV6_RECVORIGDSTADDR, 1}
	}
	if err := setOptions(fd, []option{original}); err != nil {
		return err
	}
	unix.SetsockoptInt(fd, unix.SOL_UDP, unix.UDP_GRO, 1) // Linux 5.0; without it, datagrams come singly
	setBuffer(fd, unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, listenerBuffer)
	l := &udpListener{relay: r, in: in, fd: fd}
	if err := r.w.r.Add(fd, loop.Readable, l); err != nil {
		return err
	}
	r.listeners = append(r.listeners, l)
	return nil
}

// setBuffer sets a socket buffer beyond the sysctl's limit where that is
// allowed (CAP_NET_ADMIN, socket(7)), else up to it.
func setBuffer(fd, force, plain, size int) {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, force, size) != nil {
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, plain, size)
	}
}

// unlisten closes the listeners of in. Its flows go on.
func (r *udpRelay) unlisten(in *inbound) {
	kept := r.listeners[:0]
	for _, l := range r.listeners {
		if l.in == in {
			l.Ready(0) // what waits in the queue would be lost by the close
			l.close()
		} else {
			kept = append(kept, l)
		}
	}
	clear(r.listeners[len(kept):])
	r.listeners = kept
}

func (l *udpListener) close() {
	if l.fd >= 0 {
		l.relay.w.r.Close(l.fd)
		l.fd = -1
	}
}

// close ends all that the relay carries.
func (r *udpRelay) close() {
	if r.closed {
		return
	}
	r.flush()
	r.closed = true
	for _, l := range r.listeners {
		l.close()
	}
	r.w.r.Cancel(&r.expiry)
	r.w.flows.Range(func(e *nat.Entry[*flow]) bool {
		if e.Value.relay == r && r.w.flows.Remove(e) {
			r.end(e)
		}
		return true
	})
	r.toClient.close()
	r.toUpstream.slots.Close()
}

// dropped counts and logs datagrams that were lost for a cause.
func (r *udpRelay) dropped(cause Counter, n int, client, dest netip.AddrPort, why error) {
	r.w.counters.add(cause, uint64(n))
	if e := r.w.log.warn(cause, r.w.r.Now()); e != nil { // the arguments would be allocated also for nil
		e.Stringer("client", client).Stringer("dest", dest).Err(why).Msg("datagram dropped")
	}
}
