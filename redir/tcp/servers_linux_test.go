package tcp

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/loop"
	"sluice/redir/admit"
	"sluice/redir/count"
	"sluice/redir/greet"
	"sluice/redir/inbound"
	"sluice/redir/outbound"
	"sluice/redir/resolve"
	"sluice/redir/route"
	"sluice/redir/socket"
)

// longWait bounds whatever a test waits for.
const longWait = 10 * time.Second

// turning is a worker on a reactor that turns.
type turning struct {
	*Worker
	t      *testing.T
	r      *loop.Reactor
	turned chan struct{} // one, after a turn
}

func turningWorker(t *testing.T, set Settings) *turning {
	t.Helper()
	g, err := loop.NewGroup(1)
	if err != nil {
		t.Fatal(err)
	}
	w := &turning{Worker: workerOn(t, g, &set), t: t, r: g.Reactors()[0], turned: make(chan struct{}, 1)}
	w.r.OnTurnEnd(func() {
		select {
		case w.turned <- struct{}{}:
		default:
		}
	})
	g.Start()
	t.Cleanup(func() {
		g.Stop()
		if err := g.Wait(); err != nil {
			t.Error(err)
		}
		w.Close()
		w.self.Close()
		if n := w.shared.Conns(); n != 0 {
			t.Errorf("%d conns are left", n)
		}
	})
	return w
}

// on runs f on the reactor's thread.
func (w *turning) on(f func()) {
	w.t.Helper()
	done := make(chan struct{})
	if !w.r.Post(func() { f(); close(done) }) {
		w.t.Fatal("the reactor has stopped")
	}
	select {
	case <-done:
	case <-time.After(longWait):
		w.t.Fatal("the reactor hangs")
	}
}

// begin is a client whose conn goes a way to dest. It has sent early already.
func (w *turning) begin(way *outbound.Way, dest netip.AddrPort, early string) *net.TCPConn {
	w.t.Helper()
	fd, peer := loopback(w.t)
	io.WriteString(peer, early)
	w.on(func() { w.follow(w.t, fd, way, dest) })
	peer.SetDeadline(time.Now().Add(longWait))
	return peer.(*net.TCPConn)
}

// follow has a new conn of the accepted client fd go a way to dest.
func (w *Worker) follow(t *testing.T, fd int, way *outbound.Way, dest netip.AddrPort) *conn {
	c := w.conns.add()
	c.w, c.way, c.dest, c.active = w, way, socket.EndpointOf(dest), w.r.Now()
	c.of, _ = w.shared.clients.Connect(someone, c.active, admit.Pace{})
	c.client, c.upstream = end{conn: c, fd: fd}, end{conn: c, fd: -1}
	w.shared.conns.Add(1)
	if err := w.r.Add(fd, interest, &c.client); err != nil {
		t.Error(err)
	}
	c.relay.Start(w.workspace, fd, -1)
	c.follow()
	return c
}

// someone is the client of conns.
var someone = netip.MustParseAddr("192.0.2.1")

// counted waits until what was counted as often.
func (w *turning) counted(what count.Counter, times uint64) {
	w.t.Helper()
	for patience := time.After(longWait); ; {
		var got count.Stats
		if got.Collect(w.counters); got[what] == times {
			return
		}
		select {
		case <-w.turned:
		case <-patience:
			w.t.Errorf("%s: %d, want %d", what, got[what], times)
			return
		}
	}
}

// through is a way through a server at some addresses.
func through(t *testing.T, kind outbound.Kind, user string, at ...netip.AddrPort) *outbound.Way {
	t.Helper()
	protocol := greet.SOCKS5
	if kind == outbound.HTTP {
		protocol = greet.HTTP
	}
	p, err := greet.New(protocol, user, user)
	if err != nil {
		t.Fatal(err)
	}
	in := inbound.New(inbound.Spec{Kind: inbound.TProxy, Tag: "t"}, 1, inbound.Defaults{})
	return &outbound.Way{In: in, Rule: route.Final, Out: &outbound.Outbound{
		Spec: outbound.Spec{Kind: kind, Tag: "proxy", User: user}, Dests: resolve.Fixed(at...), Proxy: p,
	}}
}

// serve is a server that does f with each connection.
func serve(t *testing.T, network string, f func(c *net.TCPConn)) netip.AddrPort {
	t.Helper()
	ln, err := net.Listen(network, map[string]string{"tcp4": "127.0.0.1:0", "tcp6": "[::1]:0"}[network])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(longWait))
				f(c.(*net.TCPConn))
			}()
		}
	}()
	return ln.Addr().(*net.TCPAddr).AddrPort()
}

func echo(c *net.TCPConn) { io.Copy(c, c) }

// read takes exactly what is wanted.
func read(t *testing.T, c net.Conn, want string) {
	t.Helper()
	b := make([]byte, len(want))
	if n, err := io.ReadFull(c, b); err != nil || string(b) != want {
		t.Errorf("read %q, %v, want %q", b[:n], err, want)
	}
}

// isReset asserts that a client is reset before it has read anything.
func isReset(t *testing.T, c net.Conn) {
	t.Helper()
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("read %d bytes, %v, want a reset", n, err)
	}
}

const (
	socksOK   = "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"
	socksName = "\x05\x00\x00\x03\x05relay\x00\x50"
	httpOK    = "HTTP/1.1 200 OK\r\nVia: x\r\n\r\n"
)

// told is what the server of a way is told, in all, of a conn to dest.
func told(way *outbound.Way, dest netip.AddrPort) string {
	return string(way.Out.Proxy.Append(nil, new(greet.State), greet.Connect(dest)))
}

// talk is a proxy that reads no more than what comes next, answers each in turn,
// the last answer with more behind it, and returns what it was told.
func talk(c net.Conn, kind outbound.Kind, answers []string, more string, write func(net.Conn, string)) string {
	said := &bytes.Buffer{}
	r := io.TeeReader(c, said)
	take := func(n int) byte {
		b := make([]byte, n)
		io.ReadFull(r, b)
		return b[n-1]
	}
	for i, answer := range answers {
		switch {
		case kind == outbound.HTTP:
			for !bytes.HasSuffix(said.Bytes(), []byte("\r\n\r\n")) {
				if n := said.Len(); take(1) == 0 && said.Len() == n {
					return said.String()
				}
			}
		case i == 0:
			take(1)
			take(int(take(1)))
		case i == 1 && len(answers) == 3:
			take(1)
			take(int(take(1)))
			take(int(take(1)))
		default:
			take(3)
			take(map[byte]int{1: 4, 4: 16}[take(1)] + 2)
		}
		if i == len(answers)-1 {
			answer += more
		}
		write(c, answer)
	}
	return said.String()
}

func atOnce(c net.Conn, s string) { io.WriteString(c, s) }

func byteForByte(c net.Conn, s string) {
	for i := range min(len(s), 100) {
		io.WriteString(c, s[i:i+1])
	}
	io.WriteString(c, s[min(len(s), 100):])
}

func settings() Settings {
	return Settings{ConnectTimeout: longWait, IdleTimeout: time.Hour, HalfCloseTimeout: time.Minute}
}

var (
	far4 = netip.MustParseAddrPort("198.51.100.7:80")
	far6 = netip.MustParseAddrPort("[2001:db8::7]:80")
)

// kinds are servers that carry what they are asked to.
var kinds = []struct {
	name, user string
	kind       outbound.Kind
	answers    []string
}{
	{"socks", "", outbound.Socks, []string{"\x05\x00", socksOK}},
	{"socks that names a host", "", outbound.Socks, []string{"\x05\x00", socksName}},
	{"socks with a user", "joe", outbound.Socks, []string{"\x05\x02", "\x01\x00", socksOK}},
	{"http", "", outbound.HTTP, []string{httpOK}},
	{"http with a user", "joe", outbound.HTTP, []string{httpOK}},
}

// nobody is an address where nobody listens.
func nobody(t *testing.T) netip.AddrPort {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).AddrPort()
}

func rawFD(t *testing.T, c net.Conn) (fd int) {
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(f uintptr) { fd = int(f) })
	return fd
}
