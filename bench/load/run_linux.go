package load

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"sluice/bench/serve"
)

// grace is how much longer than Duration and Timeout a load may take before what
// still runs is cut off.
const grace = 20 * time.Second

// run is one load under way.
type run struct {
	Spec
	start    time.Time
	id       uint64 // upper half of every flow's number
	progress *Progress

	mu    sync.Mutex // guards total
	total tally
}

// Run runs one load to its end, and returns an error only where it could not
// begin; what went wrong on the way is in the result. progress may be nil. When
// ctx ends, the load ends early, with a result of what was done.
func Run(ctx context.Context, spec Spec, progress *Progress) (Result, error) {
	spec, err := spec.Complete()
	if err != nil {
		return Result{}, err
	}
	if progress == nil {
		progress = new(Progress)
	}
	r := &run{Spec: spec, start: time.Now(), id: uint64(rand.Uint32()) << 32, progress: progress}
	ctx, cancel := context.WithTimeout(ctx, r.Duration+r.Timeout+grace)
	defer cancel()
	cpu := ownCPU()
	var measured time.Duration // of the load itself; 0: all of it
	switch r.Test {
	case TCPStream:
		err = r.tcpStream(ctx)
	case TCPRR:
		measured, err = r.tcpRR(ctx)
	case TCPIdle:
		err = r.tcpIdle(ctx)
	case TCPCRR:
		err = r.tcpCRR(ctx)
	default:
		measured, err = r.udp(ctx)
	}
	if err != nil {
		return Result{}, err
	}
	if measured == 0 {
		measured = time.Since(r.start)
	}
	return r.total.result(r.Spec, r.start, measured, ownCPU()-cpu), nil
}

// now is nanoseconds since the load began: the stamp of what it sends.
func (r *run) now() int64 { return int64(time.Since(r.start)) }

// flow is the number of flow i of this run.
func (r *run) flow(i int) uint64 { return r.id | uint64(i+1) }

// add takes what a worker counted, when the worker has ended.
func (r *run) add(t *tally) {
	r.mu.Lock()
	r.total.add(t)
	r.mu.Unlock()
}

// ownCPU is the CPU time of this process, user and system.
func ownCPU() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Beside measures the tool's own ceiling: the same load straight to another
// server, or, with an invalid address, to one in this process over loopback. It
// lasts two seconds at most.
func Beside(ctx context.Context, spec Spec, direct netip.AddrPort) (*Ceiling, error) {
	if !direct.IsValid() {
		server, err := serve.Listen(serve.Options{Listen: []netip.AddrPort{loopback(spec.Target.Addr())}})
		if err != nil {
			return nil, err
		}
		defer server.Close()
		direct = server.Addrs[0]
		spec.Enter = nil
		spec.From = netip.Prefix{}
	}
	spec.Target = direct
	spec.Duration = min(spec.Duration, ceilingTime)
	res, err := Run(ctx, spec, nil)
	if err != nil {
		return nil, err
	}
	return &Ceiling{Target: direct.String(), Rate: res.Rate, BitsPerSecond: res.BitsPerSecond, Latency: res.Latency}, nil
}

// ceilingTime bounds the measurement of a ceiling.
const ceilingTime = 2 * time.Second

// loopback is the loopback address of an address's family, any port.
func loopback(like netip.Addr) netip.AddrPort {
	if like.Is4() {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0)
	}
	return netip.AddrPortFrom(netip.IPv6Loopback(), 0)
}
