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
	fd         int
	key        senderKey
	raw        bool // the port is another service's: datagrams leave as raw packets
	gso        loop.GSO
	head, tail int32 // slots that wait to be sent; none
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

// append adds a slot to those that wait, and reports whether it is the first.
func (b *sender) append(next []int32, slot int32) (first bool) {
	next[slot] = none
	if first = b.head == none; first {
		b.head = slot
	} else {
		next[b.tail] = slot
	}
	b.tail = slot
	return first
}

// senders are a worker's for one direction, at most bound of them: the one that
// was used longest ago makes room for the next.
type senders struct {
	worker *Worker
	senderUse
	all   map[senderKey]*sender
	near  [nearSize]*sender // by port: the one asked for last
	ring  sender            // its next was used last, its prev longest ago
	sweep loop.Timer
	raw   rawHeaders
}

// senderUse is what tells the pools of the two directions apart.
type senderUse struct {
	bound    *atomic.Int64
	flush    func(*sender)                  // sends what waits for one
	lost     func(*sender, loop.SendResult) // counts what a send has dropped
	fallback count.Counter                  // of datagrams that leave as raw packets
}

func (p *senders) init(w *Worker, use senderUse) {
	p.worker, p.senderUse = w, use
	p.all = map[senderKey]*sender{}
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
	b := &sender{key: key, head: none}
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

// push adds what m holds, to go through b as e says, each datagram with its
// preface if there is one. What does not fit has the rest sent first, and its
// result added to total.
func (p *senders) push(b *sender, e *loop.Envelope, preface []byte, m *loop.Received, total *loop.SendResult) {
	switch {
	case b.key.narrow:
		p.pushFragments(b, e, preface, m, total)
		return
	case b.raw:
		p.pushRaw(b, e, preface, m, total)
		return
	}
	rest, whole := p.worker.push(e, preface, m.Payload, m.Segment, &b.gso)
	for !whole {
		p.send(b, total)
		rest, whole = p.worker.push(e, preface, rest, m.Segment, &b.gso)
	}
}

// send sends what was pushed, and adds what became of it to total.
func (p *senders) send(b *sender, total *loop.SendResult) {
	sent := p.worker.out.Send(b.fd, &b.gso)
	total.Datagrams += sent.Datagrams
	total.Bytes += sent.Bytes
	if sent.Dropped > 0 {
		p.lost(b, sent)
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
