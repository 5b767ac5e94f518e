package udp

import (
	"errors"
	"maps"
	"net/netip"
	"slices"
	"time"

	"sluice/loop"
	"sluice/redir/count"
	"sluice/redir/inbound"
	"sluice/redir/sniff"
)

const (
	// mostHeld bounds the datagrams that wait for a name of one client for one
	// destination: a hello takes two or three, and may come a second time.
	mostHeld = 8
	// mostHolds bounds those who wait on one worker, each of which takes some 20 KiB
	// beside its datagrams, mostHoldsOf those of one client, or the IPv6 network of
	// one, and mostHeldBytes the bytes of all their datagrams.
	mostHolds     = 256
	mostHoldsOf   = 64
	mostHeldBytes = 4 << 20
	// mostSpareHolds and mostSpareBytes bound what is kept for the next ones.
	mostSpareHolds = 8
	mostSpareBytes = 32 << 10
)

// errHeldLong says why a datagram was dropped that could have waited.
var errHeldLong = errors.New("more waits for the names of sessions than may")

// names finds the names of sessions that are to begin, in QUIC's Initials. Where
// that takes more than one datagram, they wait, in copies, until there is a name,
// there will be none, or they have waited for long enough. Then they are let go in
// their order, at the end of the turn.
type names struct {
	w       *Worker
	sniffer sniff.Sniffer
	holds   map[pair]*hold
	of      map[netip.Addr]int // holds of a client
	waiting []*hold            // the oldest first
	settled []*hold            // those that are to be let go
	spare   []*hold
	bytes   int // of all that is held
	timer   loop.Timer
}

// pair is a client and the destination that it writes to.
type pair struct {
	in               *inbound.Inbound
	client, dest     netip.AddrPort
	clientIf, destIf uint32 // interface indices where these are link-local
}

// hold is what waits for one name.
type hold struct {
	pair
	until     int64 // ns of Reactor.Now
	flight    sniff.Flight
	found     sniff.Finding
	isSettled bool
	messages  []loop.Received // their payloads are in data, or in what it was before it grew
	data      []byte
	datagrams int
}

func (n *names) init(w *Worker) {
	n.w, n.holds, n.of = w, make(map[pair]*hold), make(map[netip.Addr]int)
}

// seek looks for the name of what begins with m; "" is none. Where m waits for it,
// or is dropped, taken is true: what waits comes again, by Worker.release. The name
// is valid until seek is called again.
func (n *names) seek(in *inbound.Inbound, m *loop.Received) (name string, taken bool) {
	p := pair{in, m.Source, m.Dest, m.SourceScope, m.DestScope}
	h := n.holds[p]
	if h == nil {
		return n.begin(p, m)
	}
	n.keep(h, m)
	if h.isSettled {
		return "", true
	}
	if h.look(&n.sniffer, m); h.found.Verdict != sniff.More || h.datagrams >= mostHeld {
		n.settle(h)
	}
	return "", true
}

// begin looks at the first datagram from one to another.
func (n *names) begin(p pair, m *loop.Received) (name string, taken bool) {
	w := n.w
	switch {
	case w.gate.isShut(w.r.Now()): // to look costs a part of what a session does
		w.gate.asked++
		w.counters.Add(count.DroppedFlood, 1)
		return "", true
	case w.set.SniffTimeout <= 0:
		w.counters.Add(count.SniffedNone, 1)
		return "", false
	}
	h := n.take()
	if h.look(&n.sniffer, m); h.found.Verdict != sniff.More || !n.hasRoom(p, m) {
		h.count(w.counters)
		n.giveBack(h)
		return h.found.Name, false
	}
	h.pair, h.until = p, w.r.Now()+int64(w.set.SniffTimeout)
	n.holds[p] = h
	n.of[network(p.client.Addr())]++
	n.waiting = append(n.waiting, h)
	n.keep(h, m)
	if len(n.waiting) == 1 {
		w.r.Arm(&n.timer, n, w.set.SniffTimeout)
	}
	return "", true
}

// hasRoom reports whether p may wait.
func (n *names) hasRoom(p pair, m *loop.Received) bool {
	return len(n.holds) < mostHolds && n.of[network(p.client.Addr())] < mostHoldsOf &&
		n.bytes+len(m.Payload) <= mostHeldBytes && !n.w.shared.short.Load()
}

// network is whose holds are counted together.
func network(client netip.Addr) netip.Addr {
	const prefix6 = 64
	if client.Is4() {
		return client
	}
	all, _ := client.Prefix(prefix6)
	return all.Addr()
}

// keep adds a copy of m to what waits.
func (n *names) keep(h *hold, m *loop.Received) {
	if n.bytes+len(m.Payload) > mostHeldBytes {
		n.w.dropped(count.DroppedNoSession, m.Datagrams(), m.Source, m.Dest, errHeldLong)
		return
	}
	n.bytes += len(m.Payload)
	at := len(h.data)
	h.data = append(h.data, m.Payload...)
	kept := *m
	kept.Payload = h.data[at:]
	h.messages = append(h.messages, kept)
	h.datagrams += m.Datagrams()
}

// look looks at each datagram of m, until it can tell.
func (h *hold) look(s *sniff.Sniffer, m *loop.Received) {
	for rest := m.Payload; ; {
		size := min(m.Segment, len(rest))
		h.found = s.QUIC(&h.flight, rest[:size])
		if rest = rest[size:]; h.found.Verdict != sniff.More || len(rest) == 0 {
			return
		}
	}
}

// settle has h let go with what is known.
func (n *names) settle(h *hold) {
	h.isSettled = true
	i := slices.Index(n.waiting, h)
	n.waiting = slices.Delete(n.waiting, i, i+1)
	n.settled = append(n.settled, h)
	h.count(n.w.counters)
}

// count counts what was found.
func (h *hold) count(c *count.Counters) {
	if h.found.Name == "" {
		c.Add(count.SniffedNone, 1)
		return
	}
	c.Add(count.SniffedQUIC, 1)
	if h.found.Encrypted {
		c.Add(count.SniffedECH, 1)
	}
}

// Expired settles those that have waited for long enough.
func (n *names) Expired(now int64) {
	for len(n.waiting) > 0 && n.waiting[0].until <= now {
		n.settle(n.waiting[0])
	}
	if len(n.waiting) > 0 {
		n.w.r.Arm(&n.timer, n, max(expiryGrain, time.Duration(n.waiting[0].until-now)))
	}
}

// letGo sends on what waits no longer.
func (n *names) letGo() {
	if len(n.settled) == 0 {
		return
	}
	for _, h := range n.settled {
		for i := range h.messages {
			n.w.release(h.in, &h.messages[i], h.found.Name)
		}
	}
	n.w.flushUpstream() // what was held is used again
	for i, h := range n.settled {
		n.forget(h)
		n.settled[i] = nil
	}
	n.settled = n.settled[:0]
}

func (n *names) forget(h *hold) {
	delete(n.holds, h.pair)
	of := network(h.client.Addr())
	if n.of[of]--; n.of[of] == 0 {
		delete(n.of, of)
	}
	for i := range h.messages {
		n.bytes -= len(h.messages[i].Payload)
	}
	n.giveBack(h)
}

// take is a hold without a pair.
func (n *names) take() *hold {
	last := len(n.spare) - 1
	if last < 0 {
		return new(hold)
	}
	h := n.spare[last]
	n.spare = n.spare[:last]
	h.flight.Reset()
	return h
}

// giveBack keeps h for the next one. The name that it has found stays valid until
// then.
func (n *names) giveBack(h *hold) {
	if len(n.spare) == mostSpareHolds {
		return
	}
	if cap(h.data) > mostSpareBytes {
		h.data = nil
	}
	clear(h.messages)
	h.pair, h.isSettled, h.messages, h.data, h.datagrams = pair{}, false, h.messages[:0], h.data[:0], 0
	n.spare = append(n.spare, h)
}

// relabel makes what came by from what came by to.
func (n *names) relabel(from, to *inbound.Inbound) {
	for _, h := range slices.Collect(maps.Values(n.holds)) {
		if h.in == from {
			delete(n.holds, h.pair)
			h.in = to
			n.holds[h.pair] = h
		}
	}
}

// close has all that waits let go with the next flush.
func (n *names) close() {
	n.w.r.Cancel(&n.timer)
	for len(n.waiting) > 0 {
		n.settle(n.waiting[0])
	}
}
