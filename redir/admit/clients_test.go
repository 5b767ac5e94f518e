package admit

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"time"

	"sluice/redir/count"
)

// taken is what a caller holds of a client.
type taken struct {
	of      *Client
	addr    netip.Addr
	session bool
	dialing bool
}

// clientModel is Clients as one would write it without care for speed: a list of
// what is held, and a look at all of it for each question.
type clientModel struct {
	t       *testing.T
	clients *Clients
	bounds  Bounds
	live    []taken
	now     int64
}

func (m *clientModel) held(in netip.Prefix) (conns, dials, sessions int) {
	for _, x := range m.live {
		switch {
		case !in.Contains(x.addr):
		case x.session:
			sessions++
		default:
			conns++
			if x.dialing {
				dials++
			}
		}
	}
	return conns, dials, sessions
}

// cause is why a client should get nothing.
func (m *clientModel) cause(addr netip.Addr, session bool) count.Counter {
	b := &m.bounds
	if b.isExempt(addr) {
		return 0
	}
	of, parts := []netip.Prefix{netip.PrefixFrom(addr, addr.BitLen())}, []int{2, networkShare}
	if addr.Is6() && b.Prefix < 128 {
		network, _ := addr.Prefix(b.Prefix)
		of = append(of, network)
	}
	over := func(held func(netip.Prefix) int, bound int) bool {
		for i, p := range of {
			if bound > 0 && held(p) >= bound*parts[i]/2 {
				return true
			}
		}
		return false
	}
	conns := func(p netip.Prefix) int { n, _, _ := m.held(p); return n }
	dials := func(p netip.Prefix) int { _, n, _ := m.held(p); return n }
	sessions := func(p netip.Prefix) int { _, _, n := m.held(p); return n }
	switch {
	case session && over(sessions, b.Sessions):
		return count.RefusedClientSessions
	case !session && over(conns, b.Conns):
		return count.RefusedClientConns
	case !session && over(dials, b.Dials):
		return count.RefusedClientDials
	}
	return 0
}

func (m *clientModel) begin(addr netip.Addr, session bool) {
	want := m.cause(addr, session)
	var of *Client
	var refusal Refusal
	if session {
		of, refusal = m.clients.Open(addr)
	} else {
		of, refusal = m.clients.Connect(addr, m.now, Pace{})
	}
	if refusal.Cause != want || (of != nil) != (want == 0) {
		m.t.Fatalf("%s, session %v: %v, %+v, want %q", addr, session, of, refusal, want)
	}
	if of == nil {
		if !refusal.Of.Contains(addr) || refusal.Bound < 1 || refusal.Flag() == "" {
			m.t.Fatalf("%s is refused by %+v", addr, refusal)
		}
		return
	}
	if of.Addr() != addr {
		m.t.Fatalf("%s is taken for %s", addr, of.Addr())
	}
	m.live = append(m.live, taken{of, addr, session, !session})
}

func (m *clientModel) end(i int) {
	x := m.live[i]
	m.live[i] = m.live[len(m.live)-1]
	m.live = m.live[:len(m.live)-1]
	if x.session {
		x.of.End()
	} else {
		x.of.Disconnect(x.dialing)
	}
}

// mostLive bounds what the model holds, all of which it looks at for each question.
const mostLive = 48

// step does one operation that three bytes describe.
func (m *clientModel) step(b [3]byte) {
	addr := netip.AddrFrom4([4]byte{10, 0, 0, b[1] % 4})
	if b[1] >= 64 { // some networks of some hosts each
		addr = netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 0, 0, b[1] & 3, 15: b[1] >> 2 & 7, 8: b[1] & 3})
	}
	m.now += int64(b[2]) * int64(time.Millisecond)
	switch op := b[0] % 16; {
	case op < 8:
		if len(m.live) < mostLive {
			m.begin(addr, op >= 5)
		}
	case op < 10:
		if n := len(m.live); n > 0 && m.live[int(b[2])%n].dialing {
			m.live[int(b[2])%n].dialing = false
			m.live[int(b[2])%n].of.Answered()
		}
	case op < 14:
		if n := len(m.live); n > 0 {
			m.end(int(b[2]) % n)
		}
	case op == 14:
		m.clients.Sweep(m.now)
	default: // a reload
		m.bounds = Bounds{
			Conns: int(b[1] % 7), Dials: int(b[2] % 5), Sessions: int(b[1] % 6), Connects: 1e6 * int(b[2]&1),
			Prefix: []int{64, 64, 48, 56, 127, 128}[b[2]%6],
		}
		if b[1]&1 != 0 {
			m.bounds.Exempt = []netip.Prefix{netip.PrefixFrom(addr, addr.BitLen()-int(b[2]%3))}
		}
		bounds := m.bounds
		m.clients.Set(&bounds)
	}
}

// agree compares what is remembered with the model.
func (m *clientModel) agree() {
	known := 0
	for i := range m.clients.shards {
		for k, r := range m.clients.shards[i].clients {
			known++
			conns, dials, sessions := m.held(k.prefix())
			if k.bits < 128 && int(k.bits) != m.bounds.Prefix { // remembered for its rate alone
				conns, dials, sessions = 0, 0, 0
			}
			if r.held != [kinds]int32{int32(conns), int32(dials), int32(sessions)} {
				m.t.Fatalf("%s holds %v, want %d, %d, %d", k.prefix(), r.held, conns, dials, sessions)
			}
			if r.isIdle() && r.next == 0 {
				m.t.Fatalf("%s holds nothing and is remembered", k.prefix())
			}
		}
	}
	if len(m.live) == 0 {
		m.clients.Sweep(m.now + 2*connectBurst)
		if n := m.clients.Len(); n != 0 {
			m.t.Fatalf("%d clients are remembered, nothing is held", n)
		}
	}
}

func newClientModel(t *testing.T) *clientModel {
	m := &clientModel{t: t, clients: NewClients(), bounds: Bounds{Conns: 3, Dials: 2, Sessions: 3, Prefix: DefaultPrefix}, now: 1000}
	bounds := m.bounds
	m.clients.Set(&bounds)
	return m
}

func (m *clientModel) endAll() {
	for len(m.live) > 0 {
		m.end(0)
	}
	m.agree()
}

func TestClientsAgainstModel(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 0))
		m := newClientModel(t)
		for range 300 {
			var b [4]byte
			binary.LittleEndian.PutUint32(b[:], r.Uint32())
			m.step([3]byte(b[:3]))
			m.agree()
		}
		m.endAll()
	}
}

func FuzzClientsAgainstModel(f *testing.F) {
	f.Add([]byte("\x00\x01\x01\x00\x01\x01\x08\x00\x00\x00\x01\x01\x0f\x05\x03\x0a\x00\x00"))
	f.Add([]byte("\x00\x40\x01\x05\x41\x01\x0f\x41\x05\x00\x40\x02\x0a\x00\x00\x0a\x00\x00"))
	f.Fuzz(func(t *testing.T, ops []byte) {
		m := newClientModel(t)
		const most = 1500 // bytes; what is looked at after each step grows with them
		for ops = ops[:min(len(ops), most)]; len(ops) >= 3; ops = ops[3:] {
			m.step([3]byte(ops))
			m.agree()
		}
		m.endAll()
	})
}

// TestClientsAtOnce lets reactors take and give at the same time, while the
// bounds change: nobody has more than it may, and nothing is left.
func TestClientsAtOnce(t *testing.T) {
	const workers, rounds = 8, 2000
	c := NewClients()
	c.Set(&Bounds{Conns: 10, Dials: 5, Sessions: 7, Prefix: 64})
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 7))
			for i := range rounds {
				addr := netip.AddrFrom16([16]byte{0x20, 1, 7: byte(r.IntN(2)), 15: byte(r.IntN(3))})
				var sessions [3]*Client
				for j := range sessions {
					sessions[j], _ = c.Open(addr)
				}
				if conn, _ := c.Connect(addr, int64(i), Pace{}); conn != nil {
					if i%2 == 0 {
						conn.Answered()
					}
					conn.Disconnect(i%2 != 0)
				}
				for _, s := range sessions {
					if s != nil {
						s.End()
					}
				}
				if w == 0 && i%100 == 0 {
					c.Set(&Bounds{Conns: 10, Dials: 5, Sessions: 1 + i/100%7, Prefix: 48 + i/100%81})
					c.Sweep(int64(i))
				}
			}
		})
	}
	all.Wait()
	if n := c.Len(); n != 0 {
		t.Errorf("%d clients are remembered", n)
	}
}

// TestHold asserts that what is held for a front counts for no bound, its own
// included, and outlives other lengths of a network.
func TestHold(t *testing.T) {
	for _, s := range []string{"10.0.0.1", "2001:db8::1"} {
		c, addr := NewClients(), netip.MustParseAddr(s)
		c.Set(&Bounds{Conns: 1, Dials: 1, Prefix: 64})
		var held []*Client
		for range 5 {
			held = append(held, c.Hold(addr))
		}
		own, refusal := c.Connect(addr, 1, Pace{})
		if own == nil {
			t.Fatalf("%s: %+v", s, refusal)
		}
		if second, _ := c.Connect(addr, 1, Pace{}); second != nil {
			t.Errorf("%s has two of its own", s)
		}
		own.Disconnect(true)
		c.Set(&Bounds{Conns: 1, Dials: 1, Prefix: 48})
		for _, h := range held {
			if h.Addr() != addr {
				t.Errorf("%s is taken for %s", addr, h.Addr())
			}
			h.Release()
		}
		if n := c.Len(); n != 0 {
			t.Errorf("%s: %d are remembered", s, n)
		}
	}
}

// TestClientConnects asserts that a client opens at its rate after a burst of one
// second, on its own account.
func TestClientConnects(t *testing.T) {
	c := NewClients()
	c.Set(&Bounds{Connects: 10, Prefix: 64})
	open := func(addr string, now time.Duration) count.Counter {
		of, refusal := c.Connect(netip.MustParseAddr(addr), int64(now), Pace{})
		if of != nil {
			of.Disconnect(true)
		}
		return refusal.Cause
	}
	opened := 0
	for ms := range 3000 {
		if open("10.0.0.1", time.Duration(ms)*time.Millisecond) == 0 {
			opened++
		}
	}
	if opened < 38 || opened > 42 {
		t.Errorf("%d connections in three seconds, want 10 at once and 10 a second", opened)
	}
	if cause := open("10.0.0.2", 3*time.Second); cause != 0 {
		t.Errorf("another is refused: %s", cause)
	}
	c.Sweep(int64(3 * time.Second))
	if c.Len() == 0 {
		t.Error("who is too fast is forgotten at once")
	}
	c.Sweep(int64(6 * time.Second))
	if n := c.Len(); n != 0 {
		t.Errorf("%d clients are remembered later", n)
	}
}

// TestPace asserts that a pace holds only where it may, and not for long for who
// was exempt.
func TestPace(t *testing.T) {
	c := NewClients()
	addr := netip.MustParseAddr("10.0.0.1")
	pace := Pace{Interval: int64(time.Second) / 1000, Burst: int64(100 * time.Millisecond)}
	opened := func() (n int) {
		for range 500 {
			if of, _ := c.Connect(addr, 1, pace); of != nil {
				of.Disconnect(true)
				n++
			}
		}
		return n
	}
	if n := opened(); n != 500 {
		t.Errorf("%d of 500, where no pace holds", n)
	}
	c.Set(&Bounds{Paced: true, Exempt: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	if n := opened(); n != 500 {
		t.Errorf("%d of 500, of who is exempt", n)
	}
	c.Set(&Bounds{Paced: true})
	if n := opened(); n > 1 {
		t.Errorf("%d more, at once", n)
	}
	if of, refusal := c.Connect(addr, int64(time.Second), pace); of == nil {
		t.Errorf("a second later: %+v", refusal)
	}
}

func TestClientsDoNotAllocate(t *testing.T) {
	for _, s := range []string{"10.0.0.1", "2001:db8::1"} {
		c, addr := NewClients(), netip.MustParseAddr(s)
		c.Set(&Bounds{Conns: 2, Dials: 1, Sessions: 1, Connects: 1e6, Prefix: 64})
		var now int64
		round := func() {
			now += int64(time.Second)
			conn, _ := c.Connect(addr, now, Pace{})
			c.Connect(addr, now, Pace{}) // refused
			session, _ := c.Open(addr)
			c.Open(addr) // refused
			conn.Answered()
			conn.Disconnect(false)
			session.End()
			c.Hold(addr).Release()
			c.Sweep(now + int64(time.Second))
		}
		if n := testing.AllocsPerRun(100, round); n != 0 {
			t.Errorf("%s: %v allocations per connection", s, n)
		}
	}
}

func BenchmarkConnect(b *testing.B) {
	for _, s := range []string{"10.0.0.1", "2001:db8::1"} {
		b.Run(s, func(b *testing.B) {
			c, addr := NewClients(), netip.MustParseAddr(s)
			c.Set(&Bounds{Conns: 1000, Dials: 100, Prefix: 64})
			for b.Loop() {
				of, _ := c.Connect(addr, 1, Pace{})
				of.Answered()
				of.Disconnect(false)
			}
		})
	}
}
