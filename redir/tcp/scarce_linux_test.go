package tcp

import (
	"net/netip"
	"slices"
	"testing"
	"unsafe"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"sluice/loop"
	"sluice/redir/admit"
	"sluice/redir/count"
	"sluice/redir/inbound"
	"sluice/redir/outbound"
	"sluice/redir/record"
	"sluice/redir/socket"
	"sluice/splice"
)

// A size class of Go's allocator: eight bytes more would cost 32.
func TestConnIsOfItsSizeClass(t *testing.T) {
	if size := unsafe.Sizeof(conn{}); unsafe.Sizeof(uintptr(0)) == 8 && size > 288 {
		t.Errorf("a conn has %d bytes", size)
	}
}

// testWorker is a worker on a reactor that never turns: its time is 0.
func testWorker(t testing.TB) *Worker {
	t.Helper()
	g, err := loop.NewGroup(1)
	if err != nil {
		t.Fatal(err)
	}
	w := workerOn(t, g, &Settings{ConnectTimeout: 10e9, IdleTimeout: 3600e9, HalfCloseTimeout: 300e9})
	t.Cleanup(func() {
		w.Close()
		w.self.Close()
		g.Close()
	})
	return w
}

// workerOn is a worker on the only reactor of g.
func workerOn(t testing.TB, g *loop.Group, set *Settings) *Worker {
	t.Helper()
	a := admit.New()
	self, err := admit.NewSelf(a)
	if err != nil {
		t.Fatal(err)
	}
	shared := NewShared(a, admit.NewClients(), new(record.Feeds))
	shared.SetMaxConns(100)
	return NewWorker(shared, g.Reactors()[0], set, splice.Config{}, new(count.Counters), count.NewLog(zerolog.Nop()), self)
}

// addConn adds a conn that is idle for so long (ns), and has an answer or not.
func (w *Worker) addConn(t testing.TB, idle int64, answered bool) *conn {
	t.Helper()
	c := w.conns.add()
	c.w, c.way, c.active = w, outbound.Plain(inbound.New(inbound.Spec{Tag: "t"}, 1, inbound.Defaults{})), w.r.Now()-idle
	pair := func() int {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fds[1]) })
		return fds[0]
	}
	c.client, c.upstream = end{conn: c, fd: pair()}, end{conn: c, fd: pair()}
	c.relay.Start(w.workspace, c.client.fd, c.upstream.fd)
	w.shared.conns.Add(1)
	c.of, _ = w.shared.clients.Connect(netip.IPv6Loopback(), w.r.Now(), admit.Pace{})
	if answered {
		w.conns.run(c)
		c.of.Answered()
		c.arm(idleLimit)
	}
	return c
}

// The order: the dial that has waited longest, then what is half-closed and idle,
// then what is idle, then nothing; what is younger than its floor stays.
func TestWhatGivesWay(t *testing.T) {
	w := testWorker(t)
	idle := w.addConn(t, idleFloor+2, true)
	w.addConn(t, idleFloor-1, true)
	ended := w.addConn(t, endedFloor+1, true)
	ended.state = lingering
	ended.extra = &extra{linger: linger{rest: &ended.client}}
	longest := w.addConn(t, idleFloor+3, true)
	dial := w.addConn(t, dialFloor+5, false)
	w.addConn(t, dialFloor-1, false)
	for i, want := range []*conn{dial, ended, longest, idle} {
		if !w.makeWay(false) || want.state != closed {
			t.Fatalf("step %d: not the conn that should give way", i)
		}
	}
	if w.makeWay(true) {
		t.Error("something gave way that should not")
	}
	var got count.Stats
	got.Collect(w.counters)
	if got[count.GaveWayDial] != 1 || got[count.GaveWayIdle] != 3 || w.shared.Conns() != 2 {
		t.Errorf("%d dials and %d idle gave way, %d conns left", got[count.GaveWayDial], got[count.GaveWayIdle], w.shared.Conns())
	}
	if w.nextScan == 0 {
		t.Error("the next look is not put off")
	}
}

// What another worker's clients wait for is given up here.
func TestPlacesForOtherWorkers(t *testing.T) {
	w := testWorker(t)
	for range 5 {
		w.addConn(t, idleFloor, true)
	}
	w.shared.wanted.Store(3)
	w.Trim()
	if n := w.shared.Conns(); n != 2 || w.shared.wanted.Load() != 0 {
		t.Errorf("%d conns left, %d places wanted still", n, w.shared.wanted.Load())
	}
}

// A scan comes to every conn in turn, whatever ends meanwhile.
func TestScanComesToAll(t *testing.T) {
	var l connList
	var all []*conn
	for range 10 {
		c := l.add()
		l.run(c)
		all = append(all, c)
	}
	seen := map[*conn]int{}
	for range 5 {
		l.running.scan(2, func(c *conn) { seen[c]++ })
	}
	if len(seen) != len(all) {
		t.Errorf("saw %d of %d", len(seen), len(all))
	}
	l.running.scan(100, func(c *conn) {
		if seen[c] > 1 {
			t.Error("seen twice before all were seen once")
		}
		if slices.Index(all, c)%2 == 0 {
			l.remove(c)
		}
	})
	n := 0
	l.each(func(*conn) { n++ })
	if n != 5 || l.running.n != 5 {
		t.Errorf("%d left, counted as %d", n, l.running.n)
	}
}

// Buffers of what runs while memory is tight stop growing, and grow again.
func TestFreeze(t *testing.T) {
	w := testWorker(t)
	c := w.addConn(t, 0, true)
	locks := func() int {
		n, err := unix.GetsockoptInt(c.client.fd, unix.SOL_SOCKET, unix.SO_BUF_LOCK)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	w.shared.SetMemory(true, false)
	w.Trim()
	if locks() != 3 || !c.has(isFrozen) {
		t.Errorf("locks %d while memory is tight", locks())
	}
	w.shared.SetMemory(false, false)
	w.Trim()
	if locks() != 0 || c.has(isFrozen) {
		t.Errorf("locks %d afterwards", locks())
	}
}

// While memory is short, stalled conns end; others do not.
func TestStalledEndWhenMemoryIsShort(t *testing.T) {
	w := testWorker(t)
	stalled := w.addConn(t, stallFloor, true)
	w.addConn(t, stallFloor, true)
	young := w.addConn(t, stallFloor-1, true)
	for _, c := range []*conn{stalled, young} {
		c.stall(t)
	}
	w.shared.SetMemory(true, true)
	w.Trim()
	if stalled.state != closed || w.shared.Conns() != 2 {
		t.Errorf("state %d, %d conns left", stalled.state, w.shared.Conns())
	}
	if w.Stalled() != 2 {
		t.Errorf("%d stalled were counted", w.Stalled())
	}
}

// stall fills the queue of c's upstream, so that what the client sends waits.
func (c *conn) stall(t *testing.T) {
	t.Helper()
	full := make([]byte, 1<<16)
	for {
		if _, err := unix.Write(c.upstream.fd, full); err != nil {
			break
		}
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[1])
	if err := unix.Dup3(pair[0], c.client.fd, unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	unix.Close(pair[0])
	if _, err := unix.Write(pair[1], []byte("waits")); err != nil {
		t.Fatal(err)
	}
	c.relay.Notify(splice.A, splice.In)
	c.relay.Pump()
	if !c.stalled() {
		t.Fatal("not stalled")
	}
}

// Queued is what tells whether anybody waits.
func TestQueued(t *testing.T) {
	fd, err := socket.Listen(netip.MustParseAddrPort("127.0.0.1:0"), false, unix.SOCK_STREAM)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	at, err := socket.LocalAddr(fd)
	if err != nil {
		t.Fatal(err)
	}
	for want := range 3 {
		if n := socket.Queued(fd); n != want {
			t.Errorf("%d queued, want %d", n, want)
		}
		client, errno := socket.New(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC)
		if errno != 0 {
			t.Fatal(errno)
		}
		defer unix.Close(client)
		if errno := socket.Connect(client, at); errno != 0 {
			t.Fatal(errno)
		}
	}
}
