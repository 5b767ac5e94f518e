package udp

import (
	"net/netip"
	"sync/atomic"
	"time"
	"unique"

	"sluice/loop"
	"sluice/redir/count"
	"sluice/redir/socket"
	"sluice/redir/upstream"
)

const (
	// senderIdle is how long a sender is kept for the next datagram.
	senderIdle = int64(time.Minute)
	// nearSize is how many senders of a pool are found by their port's low bits,
	// without a look into the map.
	nearSize = 64
)

// sender is the transparent socket that sends all datagrams of one family from
// one port, each with the address that it shall come from. It belongs to one
// worker; the others have one each (SO_REUSEPORT).
type sender struct {
	pool       *senders
	fd         int
	key        senderKey
	raw        bool // the port is another service's: datagrams leave as raw packets
	gso        loop.GSO
	head, tail int32 // slots that wait to be sent; none
	cut        int   // messages that are on their way and are no datagrams: fragments but first ones
	used       int64 // ns of Reactor.Now
	prev, next *sender
}

// senderKey names a sender in its pool.
type senderKey struct {
	port   uint16
	v6     bool
	narrow bool                         // cuts each datagram (pushFragments); IPv6
	path   unique.Handle[upstream.Path] // zero: as routes lead
}

// from is the address that a datagram with the given source bears.
func (b *sender) from(source netip.Addr) netip.AddrPort {
	return netip.AddrPortFrom(source, b.key.port)
}

// append adds a slot to those that wait for b.
func (p *senders) append(b *sender, next []int32, slot int32) {
	next[slot] = none
	if b.head == none {
		b.head = slot
		p.dirty = append(p.dirty, b)
	} else {
		next[b.tail] = slot
	}
	b.tail = slot
}

// senders are a worker's for one direction, at most bound of them: the one that
// was used longest ago makes room for the next.
type senders struct {
	worker *Worker
	senderUse
	all   map[senderKey]*sender
	dirty []*sender         // those with something to send
	near  [nearSize]*sender // by port: the one asked for last
	ring  sender            // its next was used last, its prev longest ago
	sweep loop.Timer
	raw   rawHeaders
}

// senderUse is what tells the pools of the two directions apart.
type senderUse struct {
	bound    *atomic.Int64
	tally    *tally
	pushAll  func(*sender)                   // adds what waits for one to the worker's batch
	lost     func(*sender, *loop.SendResult) // counts what a send has dropped
	fallback count.Counter                   // of datagrams that leave as raw packets
}

func (p *senders) init(w *Worker, use senderUse) {
	p.worker, p.senderUse = w, use
	p.all = map[senderKey]*sender{}
	p.dirty = make([]*sender, 0, w.shared.batch)
	p.ring.prev, p.ring.next = &p.ring, &p.ring
	p.raw = make(rawHeaders, w.shared.batch)
}

// get returns the sender of a key, and opens it if there is none.
func (p *senders) get(key senderKey) (*sender, error) {
	near := &p.near[key.port%nearSize]
	if b := *near; b != nil && b.key == key {
		return b, nil
	}
	b := p.all[key]
	if b == nil {
		var err error
		if b, err = p.open(key); err != nil {
			return nil, err
		}
	}
	*near = b
	return b, nil
}

func (p *senders) open(key senderKey) (*sender, error) {
	for len(p.all) >= int(p.bound.Load()) && p.giveUpOne() {
	}
	b := &sender{pool: p, key: key, head: none}
	err := p.openSocket(b)
	if socket.OutOfFDs(err) && p.giveUpOne() {
		err = p.openSocket(b)
	}
	if err != nil {
		return nil, err
	}
	if p.worker.noRuns {
		b.gso.Disable()
	}
	p.all[key] = b
	p.link(b)
	p.use(b)
	if !p.sweep.Armed() {
		p.worker.r.Arm(&p.sweep, p, time.Duration(senderIdle))
	}
	return b, nil
}

// departAll has what waits for any leave with the worker's next send.
func (p *senders) departAll() {
	for i, b := range p.dirty {
		p.depart(b)
		p.dirty[i] = nil
	}
	p.dirty = p.dirty[:0]
}

// depart has what waits for b leave with the worker's next send.
func (p *senders) depart(b *sender) {
	if b.head == none {
		return // closed since
	}
	p.pushAll(b)
	b.head = none
	p.worker.depart(b, b.fd, &b.gso)
}

// push adds what m holds, to go through b as e says, each datagram with its
// preface if there is one. What does not fit has the rest sent first.
func (p *senders) push(b *sender, e *loop.Envelope, preface []byte, m *loop.Received) {
	switch {
	case b.key.narrow:
		p.pushFragments(b, e, preface, m)
		return
	case b.raw:
		p.pushRaw(b, e, preface, m)
		return
	}
	rest, whole := p.worker.push(e, preface, m.Payload, m.Segment, &b.gso)
	for !whole {
		p.makeRoom(b)
		rest, whole = p.worker.push(e, preface, rest, m.Segment, &b.gso)
	}
}

// makeRoom sends all that was pushed, the last of it for b.
func (p *senders) makeRoom(b *sender) {
	p.worker.depart(b, b.fd, &b.gso)
	p.worker.send()
}

// sent implements departing.
func (b *sender) sent(_ *Worker, result *loop.SendResult) {
	b.pool.use(b)
	result.Datagrams -= b.cut
	b.cut = 0
	b.pool.tally.add(result)
	if result.Dropped > 0 {
		b.pool.lost(b, result)
	}
}

// use notes that b was used now.
func (p *senders) use(b *sender) {
	b.used = p.worker.r.Now()
	if p.ring.next != b {
		b.unlink()
		p.link(b)
	}
}

func (p *senders) link(b *sender) {
	b.prev, b.next = &p.ring, p.ring.next
	b.prev.next, b.next.prev = b, b
}

func (b *sender) unlink() { b.prev.next, b.next.prev = b.next, b.prev }

// giveUpOne closes the sender that was used longest ago, after what waits for
// it was sent, and reports whether there was one.
func (p *senders) giveUpOne() bool {
	oldest := p.ring.prev
	if oldest == &p.ring {
		return false
	}
	p.close(oldest)
	return true
}

func (p *senders) closeAll() {
	p.worker.r.Cancel(&p.sweep)
	for p.giveUpOne() {
	}
}

// Expired closes what has been idle, and lets the others try again what the
// kernel has refused them: clients and routes change.
func (p *senders) Expired(now int64) {
	for b := p.ring.prev; b != &p.ring && now-b.used >= senderIdle; b = p.ring.prev {
		p.close(b)
	}
	for b := p.ring.next; b != &p.ring; b = b.next {
		b.gso.Forget()
	}
	if oldest := p.ring.prev; oldest != &p.ring {
		p.worker.r.Arm(&p.sweep, p, time.Duration(oldest.used+senderIdle-now))
	}
}
