package tcp

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/loop"
	"sluice/redir/admit"
	"sluice/redir/count"
	"sluice/redir/inbound"
	"sluice/redir/outbound"
	"sluice/redir/resolve"
	"sluice/redir/sniff"
	"sluice/redir/socket"
)

// helloFor is what a client of crypto/tls begins with.
func helloFor(t *testing.T, name string) []byte {
	t.Helper()
	here, there := net.Pipe()
	defer there.Close()
	go func() {
		tls.Client(here, &tls.Config{ServerName: name}).Handshake()
		here.Close()
	}()
	hello := make([]byte, sniff.Most)
	n, err := there.Read(hello)
	if err != nil {
		t.Fatal(err)
	}
	return hello[:n]
}

// withGREASE is a hello with an extension more, that of ECH, as browsers have it
// where they know no key.
func withGREASE(hello []byte) []byte {
	grown := bytes.Clone(hello)
	const record, message, session = 3, 6, 5 + 4 + 2 + 32 // where lengths are
	grow := func(at int) {
		binary.BigEndian.PutUint16(grown[at:], binary.BigEndian.Uint16(grown[at:])+5)
	}
	at := session + 1 + int(grown[session])
	at += 2 + int(binary.BigEndian.Uint16(grown[at:])) // suites
	at += 1 + int(grown[at])                           // compressions
	for _, length := range []int{record, message + 1, at} {
		grow(length)
	}
	return append(grown, 0xfe, 0x0d, 0, 1, 1)
}

// sniffingConn is a conn whose client's first bytes are waited for, which is to go
// to dest by a forward; and its client.
func sniffingConn(t *testing.T, w *Worker, dest netip.AddrPort) (*conn, *net.TCPConn) {
	t.Helper()
	fd, client := loopback(t)
	in := inbound.New(inbound.Spec{Kind: inbound.Direct, Tag: "t"}, 1, inbound.Defaults{})
	in.Dests = resolve.Fixed(dest)
	c := w.conns.add()
	c.w, c.way, c.state, c.dest = w, outbound.Plain(in), sniffing, socket.EndpointOf(dest)
	c.active = w.r.Now()
	c.of, _ = w.shared.clients.Connect(someone, c.active, admit.Pace{})
	c.client, c.upstream = end{conn: c, fd: fd}, end{conn: c, fd: -1}
	w.shared.conns.Add(1)
	w.counters.Add(count.ConnsAccepted, 1)
	c.relay.Start(w.workspace, fd, -1)
	return c, client.(*net.TCPConn)
}

// arrive sends b, and waits until n bytes can be read.
func arrive(t *testing.T, c *conn, client net.Conn, b []byte, n int) {
	t.Helper()
	if _, err := client.Write(b); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(longWait); ; unix.Poll(nil, 0) {
		if got, _ := unix.IoctlGetInt(c.client.fd, unix.TIOCINQ); got == n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes do not arrive", n)
		}
	}
}

// isReadable asks as the reactor does, which heeds the bytes that are waited for.
func (c *conn) isReadable() bool {
	fds := []unix.PollFd{{Fd: int32(c.client.fd), Events: unix.POLLIN}}
	n, _ := unix.Poll(fds, 0)
	return n > 0
}

// counted tells what was counted since it was asked last.
type counted struct {
	*count.Counters
	before count.Stats
}

func (c *counted) took(what count.Counter) uint64 {
	var now count.Stats
	now.Collect(c.Counters)
	n := now[what] - c.before[what]
	c.before = now
	return n
}

// TestSniffSettles asserts what is found in what has come, that it is looked at no
// sooner than it can tell something, and that all of it is still there.
func TestSniffSettles(t *testing.T) {
	w := testWorker(t)
	w.set.SniffTimeout = 300e6
	hello := helloFor(t, "www.example.com")
	greased := withGREASE(hello)
	counters := counted{Counters: w.counters}
	late := "GET / HTTP/1.1\r\nCookie: " + strings.Repeat("c", 4000) + "\r\nHost: a.example\r\n"
	for name, c := range map[string]struct {
		pieces []string
		want   count.Counter
	}{
		"TLS":                    {[]string{string(hello)}, count.SniffedTLS},
		"TLS in two":             {[]string{string(hello[:1400]), string(hello[1400:])}, count.SniffedTLS},
		"TLS, the last byte":     {[]string{string(hello[:len(hello)-1]), string(hello[len(hello)-1:])}, count.SniffedTLS},
		"TLS, and more":          {[]string{string(hello) + "more"}, count.SniffedTLS},
		"TLS, GREASE":            {[]string{string(greased)}, count.SniffedECH},
		"HTTP":                   {[]string{"GET / HTTP/1.1\r\nHost: a.example\r\n"}, count.SniffedHTTP},
		"HTTP line by line":      {[]string{"GET / HTTP/1.1\r\n", "Host: a.example\r\n"}, count.SniffedHTTP},
		"HTTP, host late":        {[]string{late[:3000], late[3000:]}, count.SniffedHTTP},
		"HTTP without a host":    {[]string{"GET / HTTP/1.0\r\n\r\n"}, count.SniffedNone},
		"HTTP/2":                 {[]string{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}, count.SniffedNone},
		"something else":         {[]string{"\x13BitTorrent protocol"}, count.SniffedNone},
		"more than is looked at": {[]string{"GET / HTTP/1.1\r\nCookie: " + strings.Repeat("c", sniff.Most)}, count.SniffedNone},
	} {
		conn, client := sniffingConn(t, w, netip.MustParseAddrPort("127.0.0.1:9"))
		conn.sniff()
		sent := 0
		for i, piece := range c.pieces {
			sent += len(piece)
			arrive(t, conn, client, []byte(piece), sent)
			if !conn.isReadable() {
				t.Errorf("%s: piece %d brings no edge", name, i)
			}
			conn.sniffEdge(loop.Readable)
			if last := i == len(c.pieces)-1; (conn.state == sniffing) == last {
				t.Errorf("%s: state %d after piece %d", name, conn.state, i)
			}
		}
		if n := counters.took(c.want); n != 1 {
			t.Errorf("%s: counted %d", name, n)
		}
		lowat, _ := unix.GetsockoptInt(conn.client.fd, unix.SOL_SOCKET, unix.SO_RCVLOWAT)
		if left, _ := unix.IoctlGetInt(conn.client.fd, unix.TIOCINQ); left != sent || lowat > 1 {
			t.Errorf("%s: %d bytes of %d are left, %d bring an edge", name, left, sent, lowat)
		}
		conn.abort(0)
	}
}

// TestSniffInShreds asserts that a client which sends a few bytes at a time is not
// looked at each time.
func TestSniffInShreds(t *testing.T) {
	w := testWorker(t)
	w.set.SniffTimeout = 300e6
	const shred = 20
	for name, c := range map[string]struct {
		b    []byte
		most int
	}{
		"TLS":  {helloFor(t, "www.example.com"), 3},
		"HTTP": {[]byte("GET / HTTP/1.1\r\nCookie: " + strings.Repeat("c", 5000) + "\r\nHost: a.example\r\n"), looksAtEach/shred + 10},
	} {
		conn, client := sniffingConn(t, w, netip.MustParseAddrPort("127.0.0.1:9"))
		conn.sniff()
		looks := 0
		for i := 0; i < len(c.b); i += shred {
			arrive(t, conn, client, c.b[i:min(i+shred, len(c.b))], min(i+shred, len(c.b)))
			if conn.state == sniffing && conn.isReadable() {
				if conn.hasAwaited() {
					looks++
				}
				conn.sniffEdge(loop.Readable)
			}
		}
		if looks > c.most {
			t.Errorf("%s: %d looks at %d bytes", name, looks, len(c.b))
		}
		if conn.state == sniffing {
			conn.Expired(w.r.Now() + 300e6)
		}
		if conn.state != dialing {
			t.Errorf("%s: state %d", name, conn.state)
		}
		conn.abort(0)
	}
}

// TestSniffEnds asserts what becomes of clients that say too little, end or go.
func TestSniffEnds(t *testing.T) {
	w := testWorker(t)
	w.set.SniffTimeout = 300e6
	hello := helloFor(t, "www.example.com")
	counters := counted{Counters: w.counters}
	begin := func(port uint16) (*conn, *net.TCPConn) {
		return sniffingConn(t, w, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port))
	}
	expect := func(name string, c *conn, state connState, what count.Counter) {
		t.Helper()
		if c.state != state || what != 0 && counters.took(what) != 1 {
			t.Errorf("%s: state %d", name, c.state)
		}
		c.abort(0)
	}
	c, _ := begin(9)
	c.sniff()
	c.Expired(w.r.Now() + 300e6)
	expect("silence", c, dialing, count.SniffedNone)

	c, _ = begin(22)
	c.sniff()
	expect("a server that speaks first", c, dialing, count.SniffedNone)

	c, client := begin(9)
	c.sniff()
	arrive(t, c, client, hello[:len(hello)-1], len(hello)-1) // which has the name
	c.sniffEdge(loop.Readable)
	c.Expired(w.r.Now() + 300e6)
	expect("late", c, dialing, count.SniffedTLS)

	c, client = begin(9)
	c.sniff()
	arrive(t, c, client, []byte("GET / HTTP/1.1\r\n"), 16)
	client.CloseWrite()
	c.sniffEdge(loop.Readable | loop.ReadHangup)
	expect("an end within", c, dialing, count.SniffedNone)

	c, client = begin(9)
	c.sniff()
	client.CloseWrite()
	for !c.isReadable() {
		unix.Poll(nil, 1)
	}
	c.sniffEdge(loop.Readable | loop.ReadHangup)
	expect("an end", c, dialing, count.SniffedNone)

	c, client = begin(9)
	c.sniff()
	client.SetLinger(0)
	client.Close()
	for !c.isReadable() {
		unix.Poll(nil, 1)
	}
	c.sniffEdge(loop.Readable | loop.Error | loop.Hangup)
	expect("a reset", c, closed, count.ClientsGone)

	c, _ = begin(9)
	c.sniff()
	w.settleDials(netip.MustParsePrefix("192.0.2.1/32"))
	expect("settling dials", c, sniffing, 0)

	c, _ = begin(9)
	c.sniff()
	c.active = w.r.Now() - dialFloor - 1
	if !w.makeWay(false) {
		t.Error("it does not give way")
	}
	expect("giving way", c, closed, count.GaveWayDial)
	if n := w.shared.clients.Len(); n != 0 || w.shared.Conns() != 0 {
		t.Errorf("%d clients are remembered, %d conns", n, w.shared.Conns())
	}
}

// TestSniffedBytesPassUnchanged has a reactor carry conns whose clients send in
// pieces, end early, or wait for the server.
func TestSniffedBytesPassUnchanged(t *testing.T) {
	w := turningWorker(t, Settings{ConnectTimeout: longWait, IdleTimeout: time.Hour, HalfCloseTimeout: time.Hour, SniffTimeout: 50 * time.Millisecond})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	dest := ln.Addr().(*net.TCPAddr).AddrPort()
	hello := helloFor(t, "www.example.com")
	for name, pieces := range map[string][]string{
		"whole":             {string(hello)},
		"in pieces":         {string(hello[:3]), string(hello[3:100]), string(hello[100:1460]), string(hello[1460:]), "and data"},
		"HTTP":              {"GET / HTTP/1.1\r\n", "Host: a.exa", "mple\r\n", "\r\n"},
		"an end within":     {string(hello[:1000])},
		"nothing":           nil,
		"something else":    {"x", "yz"},
		"too long a header": {"GET / HTTP/1.1\r\nCookie: ", strings.Repeat("c", 30000), "\r\n\r\n"},
	} {
		var client net.Conn
		w.on(func() {
			var c *conn
			c, client = sniffingConn(t, w.Worker, dest)
			if err := w.r.Add(c.client.fd, interest, &c.client); err != nil {
				t.Error(err)
			}
			c.sniff()
		})
		client.SetDeadline(time.Now().Add(longWait))
		for _, piece := range pieces {
			if _, err := client.Write([]byte(piece)); err != nil {
				t.Fatal(err)
			}
			unix.Poll(nil, 1) // so that they come apart, mostly
		}
		if pieces != nil {
			client.(*net.TCPConn).CloseWrite()
		}
		server, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		server.SetDeadline(time.Now().Add(longWait))
		server.Write([]byte("220 hello"))
		if pieces == nil { // the server speaks first
			if _, err := io.ReadFull(client, make([]byte, len("220 hello"))); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			client.(*net.TCPConn).CloseWrite()
		}
		got, err := io.ReadAll(server)
		if want := strings.Join(pieces, ""); err != nil || !bytes.Equal(got, []byte(want)) {
			t.Errorf("%s: %d bytes of %d, %v", name, len(got), len(want), err)
		}
		server.Close()
		if answer, err := io.ReadAll(client); err != nil || pieces != nil && string(answer) != "220 hello" {
			t.Errorf("%s: %q, %v", name, answer, err)
		}
		client.Close()
	}
	for deadline := time.Now().Add(longWait); w.shared.Conns() > 0; unix.Poll(nil, 1) {
		if time.Now().After(deadline) {
			t.Fatalf("%d conns are left", w.shared.Conns())
		}
	}
}

// TestSniffDoesNotAllocate asserts that a client which sends in pieces costs
// nothing.
func TestSniffDoesNotAllocate(t *testing.T) {
	w := testWorker(t)
	w.set.SniffTimeout = 300e6
	hello := helloFor(t, "www.example.com")
	c, client := sniffingConn(t, w, netip.MustParseAddrPort("127.0.0.1:9"))
	c.sniff()
	arrive(t, c, client, hello[:len(hello)-1], len(hello)-1)
	if n := testing.AllocsPerRun(100, func() { c.sniffEdge(loop.Readable) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	c.abort(0)
}
