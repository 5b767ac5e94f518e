package splice

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/loop"
)

// patience bounds every wait of a test.
const patience = 10 * time.Second

// networks are the ways by which a test joins a peer with its side of the relay.
var networks = []string{"unix", "tcp4", "tcp6"}

// ways are networks, and the ways in which a rig moves its relay; tcp are those of TCP.
var (
	ways = append([]string{"unix" + alike}, append(tcp, "unix")...)
	tcp  = []string{"tcp4", "tcp4" + alike, "tcp6"}
)

// alike, behind a network, has the relay moved together with another.
const alike = " together"

// peer is the far end of one side of a relay.
type peer interface {
	net.Conn
	CloseWrite() error
	SyscallConn() (syscall.RawConn, error)
}

// join returns a peer and the non-blocking fd of the relay's side that is connected with it.
func join(tb testing.TB, network string) (peer, int) {
	tb.Helper()
	if network == "unix" {
		return joinUnix(tb)
	}
	host := map[string]string{"tcp4": "127.0.0.1:0", "tcp6": "[::1]:0"}[network]
	l, err := net.Listen(network, host)
	must(tb, err)
	defer l.Close()
	conn, err := net.Dial(network, l.Addr().String())
	must(tb, err)
	must(tb, conn.SetDeadline(time.Now().Add(patience)))
	tb.Cleanup(func() { conn.Close() })
	accepted, err := l.Accept()
	must(tb, err)
	defer accepted.Close()
	f, err := accepted.(*net.TCPConn).File()
	must(tb, err)
	defer f.Close()
	return conn.(peer), dup(tb, f)
}

// newCalls are the calls of a reactor that does not run.
func newCalls(tb testing.TB) Calls {
	tb.Helper()
	g, err := loop.NewGroup(1)
	must(tb, err)
	tb.Cleanup(g.Close)
	must(tb, g.UseRings())
	return g.Reactors()[0].Calls()
}

func joinUnix(tb testing.TB) (peer, int) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	must(tb, err)
	f := os.NewFile(uintptr(fds[0]), "peer")
	defer f.Close()
	conn, err := net.FileConn(f)
	must(tb, err)
	must(tb, conn.SetDeadline(time.Now().Add(patience)))
	tb.Cleanup(func() { conn.Close() })
	return conn.(peer), fds[1]
}

func dup(tb testing.TB, f *os.File) int {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	must(tb, err)
	must(tb, unix.SetNonblock(fd, true))
	return fd
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// waitFor polls until the condition holds.
func waitFor(tb testing.TB, what string, holds func() bool) {
	tb.Helper()
	deadline := time.Now().Add(patience)
	for !holds() {
		if time.Now().After(deadline) {
			tb.Fatalf("waited in vain for %s", what)
		}
		unix.Poll(nil, 1)
	}
}

// verdict is how a relay ended.
type verdict struct {
	status   Status
	moved    [2]uint64
	side     Side
	errno    syscall.Errno
	shutdown [2]bool // by source: whether its end was passed on with shutdown
}

// rig is a relay between two peers, driven by an epoll loop in a goroutine of its own.
type rig struct {
	tb             testing.TB
	client, server peer
	fds            [2]int
	w              *Workspace
	relay          Relay
	done           chan verdict
	stop           atomic.Bool
	inspect        chan func() // run on the driver's goroutine
	pumps          atomic.Int64
	allow          func() Allowance // of each pump; nil: no bound
	tid            int              // of the driver's thread, once it has one of its own
	other          *Relay           // that it is moved together with; nil: it is moved alone
}

func newRig(tb testing.TB, network string, c Config) *rig {
	network, together := strings.CutSuffix(network, alike)
	if together {
		c.Calls = newCalls(tb)
	}
	g := &rig{tb: tb, w: NewWorkspace(c), done: make(chan verdict, 1), inspect: make(chan func())}
	if together {
		_, a := join(tb, "unix")
		_, b := join(tb, "unix")
		tb.Cleanup(func() { unix.Close(a); unix.Close(b) })
		g.other = new(Relay)
		g.other.Start(g.w, a, b)
	}
	g.client, g.fds[A] = join(tb, network)
	g.server, g.fds[B] = join(tb, network)
	tb.Cleanup(func() {
		if g.pumps.Load() == 0 {
			unix.Close(g.fds[A])
			unix.Close(g.fds[B])
		}
	})
	return g
}

// run starts the driver. It is stopped, and checked for what it left behind, when the test ends.
func (g *rig) run() *rig {
	ended := make(chan struct{})
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	must(g.tb, err)
	g.relay.Start(g.w, g.fds[A], g.fds[B])
	for side, fd := range g.fds {
		ev := unix.EpollEvent{Fd: int32(side), Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLPRI | 1<<31}
		must(g.tb, unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, fd, &ev))
	}
	g.pumps.Add(1)
	go func() {
		defer close(ended)
		defer unix.Close(ep)
		g.drive(ep)
	}()
	g.tb.Cleanup(func() {
		g.stop.Store(true)
		<-ended
		g.relay.Release()
		g.relay.Release()
		if s := g.w.Stats(); s.PipesHeld != 0 || s.Residues != 0 || s.ResidueBytes != 0 {
			g.tb.Errorf("left behind: %+v", s)
		}
		g.w.Close()
		if open := g.w.pipes.open; open != 0 {
			g.tb.Errorf("%d pipes left open", open)
		}
	})
	return g
}

func (g *rig) drive(ep int) {
	var events [4]unix.EpollEvent
	timeout := 5
	status := Blocked
	for !g.stop.Load() {
		n, _ := unix.EpollWait(ep, events[:], timeout)
		select {
		case f := <-g.inspect:
			f()
		default:
		}
		for i := range max(n, 0) {
			g.relay.Notify(Side(events[i].Fd), Events(events[i].Events))
		}
		if n <= 0 && status != Again {
			continue
		}
		g.pumps.Add(1)
		status = g.pump()
		timeout = 5
		switch status {
		case Again:
			timeout = 0
		case Finished, Broken:
			g.finish(status)
			return
		}
	}
	unix.Close(g.fds[A])
	unix.Close(g.fds[B])
}

// pump moves what is allowed. A side that rests is called again at once, and is allowed something by and by.
func (g *rig) pump() Status {
	if g.allow == nil {
		if g.other != nil {
			g.w.MoveTogether([]*Relay{&g.relay, g.other})
		}
		return g.relay.Pump()
	}
	before := g.allow()
	left := before
	status := g.relay.PumpWithin(&left)
	if left[A] > before[A] || left[B] > before[B] {
		g.tb.Errorf("%v bytes were allowed, and %v are left", before, left)
	}
	if status == Blocked && (g.relay.Wants(A) || g.relay.Wants(B)) {
		return Again
	}
	return status
}

// finish does what the caller of a relay owes.
func (g *rig) finish(status Status) {
	r := &g.relay
	v := verdict{status: status, moved: [2]uint64{r.Moved(A), r.Moved(B)}, shutdown: [2]bool{r.dirs[A].passed, r.dirs[B].passed}}
	v.side, v.errno = r.Failed()
	if status == Broken {
		fd := g.fds[v.side.other()]
		for deadline := time.Now().Add(patience); time.Now().Before(deadline) && !g.stop.Load(); unix.Poll(nil, 1) {
			state := []unix.PollFd{{Fd: int32(fd)}}
			unix.Poll(state, 0)
			queued, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
			if err != nil || queued == 0 || state[0].Revents&unix.POLLHUP != 0 { // a reset socket never counts down to 0
				break
			}
		}
		unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	}
	r.Release()
	unix.Close(g.fds[A])
	unix.Close(g.fds[B])
	g.done <- v
}

// on runs f on the driver's goroutine.
func (g *rig) on(f func()) {
	g.tb.Helper()
	ran := make(chan struct{})
	select {
	case g.inspect <- func() { f(); close(ran) }:
		<-ran
	case <-time.After(patience):
		g.tb.Fatal("the driver has ended")
	}
}

// verdict waits for the relay to end.
func (g *rig) verdict() verdict {
	g.tb.Helper()
	select {
	case v := <-g.done:
		return v
	case <-time.After(patience):
		var state string
		g.on(func() { state = fmt.Sprintf("%+v", g.relay) })
		g.tb.Fatalf("the relay did not end: %s", state)
		panic("unreachable")
	}
}

func (g *rig) wants(want verdict) {
	g.tb.Helper()
	got := g.verdict()
	got.shutdown = want.shutdown
	if got != want {
		g.tb.Fatalf("ended as %+v, want %+v", got, want)
	}
}

// pattern fills n bytes that depend on seed and position, so that loss, mixture and reordering show.
func pattern(seed uint64, n int) []byte {
	buf := make([]byte, n+7)
	x := seed*2654435761 + 1
	for i := 0; i < n; i += 8 {
		x = x*6364136223846793005 + 1442695040888963407
		binary.LittleEndian.PutUint64(buf[i:], x^x>>29)
	}
	return buf[:n]
}

// expect reads to the end of the stream and compares.
func expect(tb testing.TB, p peer, want []byte) {
	tb.Helper()
	got, err := io.ReadAll(p)
	if err != nil {
		tb.Errorf("after %d of %d bytes: %v", len(got), len(want), err)
		return
	}
	same(tb, got, want)
}

func same(tb testing.TB, got, want []byte) {
	tb.Helper()
	if bytes.Equal(got, want) {
		return
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			tb.Errorf("byte %d of %d differs", i, len(want))
			return
		}
	}
	tb.Errorf("%d bytes, want %d", len(got), len(want))
}

// raw gives access to the peer's socket.
func raw(tb testing.TB, p peer, f func(fd int)) {
	tb.Helper()
	c, err := p.SyscallConn()
	must(tb, err)
	must(tb, c.Control(func(fd uintptr) { f(int(fd)) }))
}

// reset ends a TCP connection with RST.
func reset(tb testing.TB, p peer) {
	raw(tb, p, func(fd int) { unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}) })
	p.Close()
}

// arrived waits until the kernel of the relay's side has everything that the peer sent.
func arrived(tb testing.TB, p peer) {
	tb.Helper()
	if _, direct := p.(*net.UnixConn); direct {
		return
	}
	waitFor(tb, "acknowledgement", func() bool {
		queued := 0
		raw(tb, p, func(fd int) { queued, _ = unix.IoctlGetInt(fd, unix.SIOCOUTQ) })
		return queued == 0
	})
}
