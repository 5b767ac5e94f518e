package serve

import (
	"net/netip"
	"sync"
	"time"

	"sluice/bench/frame"
)

const (
	ledgerShards = 64
	// shardSize is how many flows a shard holds before it forgets old ones.
	shardSize = 1 << 12
	// keep is how long a flow stays known after its last datagram.
	keep = time.Minute
)

// ledger knows the UDP flows that sinks and sources served. Any goroutine.
type ledger struct {
	start  time.Time // of the clock of now
	shards [ledgerShards]shard
	peers  sync.Map // netip.AddrPort to the flow (uint64) that it bore first
}

// shard is the flows whose numbers end alike.
type shard struct {
	mu    sync.Mutex
	flows map[uint64]*account
}

// account is what is known of one flow; its shard's lock guards it.
type account struct {
	peer    netip.AddrPort
	track   frame.Tracker
	jitter  frame.Jitter
	bytes   uint64
	corrupt uint64
	mixed   uint64
	sent    uint64 // by a source
	source  bool
	last    int64 // when it was heard, in nanoseconds of now
}

func newLedger() *ledger {
	l := &ledger{start: time.Now()}
	for i := range l.shards {
		l.shards[i].flows = map[uint64]*account{}
	}
	return l
}

// now is nanoseconds since the ledger began.
func (l *ledger) now() int64 { return int64(time.Since(l.start)) }

// account finds or makes the account of a flow and returns its shard, locked.
func (l *ledger) account(flow uint64, now int64) (*shard, *account) {
	s := &l.shards[flow%ledgerShards]
	s.mu.Lock()
	a := s.flows[flow]
	if a == nil {
		if len(s.flows) >= shardSize {
			l.forget(s, now)
		}
		a = &account{}
		s.flows[flow] = a
	}
	a.last = now
	return s, a
}

// forget drops the flows of a locked shard that have been silent.
func (l *ledger) forget(s *shard, now int64) {
	for flow, a := range s.flows {
		if now-a.last > int64(keep) {
			delete(s.flows, flow)
			l.peers.CompareAndDelete(a.peer, flow)
		}
	}
}

// arrive notes one datagram of a sink. A flow comes from one peer as long as it
// lasts (a NAT with endpoint-independent mapping keeps its port): from another one
// it was mixed up.
func (l *ledger) arrive(h frame.Header, size int, peer netip.AddrPort) {
	now := l.now()
	s, a := l.account(h.Flow, now)
	defer s.mu.Unlock()
	if !a.peer.IsValid() {
		a.peer = peer
		l.peers.Store(peer, h.Flow)
	} else if a.peer != peer {
		a.mixed++
	}
	if a.track.Arrive(h.Seq) {
		a.bytes += uint64(size)
	}
	a.jitter.Arrive(h.Stamp, now)
}

// corrupt notes a datagram with a wrong checksum, under the flow that its peer
// bears: its own header cannot be trusted.
func (l *ledger) corrupt(h frame.Header, peer netip.AddrPort) {
	flow := h.Flow
	if known, ok := l.peers.Load(peer); ok {
		flow = known.(uint64)
	}
	s, a := l.account(flow, l.now())
	a.corrupt++
	s.mu.Unlock()
}

// begin opens the account of a source; false if it runs already (the client asks
// again when it hears nothing).
func (l *ledger) begin(flow uint64) bool {
	s, a := l.account(flow, l.now())
	defer s.mu.Unlock()
	was := a.source
	a.source = true
	return !was
}

// sent notes datagrams of a source.
func (l *ledger) sent(flow uint64, n int) {
	s, a := l.account(flow, l.now())
	a.sent += uint64(n)
	s.mu.Unlock()
}

// report is the frame that answers a Report datagram.
func (l *ledger) report(flow uint64) []byte {
	s, a := l.account(flow, l.now())
	st := frame.Stats{Frames: a.track.Unique, Bytes: a.bytes, Duplicate: a.track.Duplicate,
		Reordered: a.track.Reordered, Corrupt: a.corrupt, Mixed: a.mixed, Jitter: a.jitter.Value()}
	if a.source {
		st = frame.Stats{Frames: a.sent}
	}
	s.mu.Unlock()
	return frame.New(frame.Header{Kind: frame.Report, Flow: flow}, st.Append(nil))
}
