package tcp

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/loop"
	"sluice/redir/inbound"
	"sluice/redir/outbound"
	"sluice/redir/proxyproto"
	"sluice/redir/resolve"
	"sluice/redir/socket"
	"sluice/redir/source"
	"sluice/redir/upstream"
)

// loopback is a connected pair of TCP sockets: one for a conn, one for its peer.
func loopback(t *testing.T) (fd int, peer net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if peer, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	accepted, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	f, err := accepted.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if fd, err = unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0); err != nil {
		t.Fatal(err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	return fd, peer
}

// awaitingConn is a conn that awaits a header, and its front.
func awaitingConn(t *testing.T, w *Worker) (*conn, net.Conn) {
	t.Helper()
	fd, front := loopback(t)
	c := w.conns.add()
	c.w, c.state = w, awaiting
	c.way = outbound.Plain(inbound.New(inbound.Spec{Kind: inbound.TProxy, Tag: "t"}, 1, inbound.Defaults{Path: upstream.Path{SendProxy: proxyproto.SendV2}}))
	c.of = w.shared.clients.Hold(netip.MustParseAddr("192.0.2.1"))
	c.client = end{conn: c, fd: fd}
	c.upstream = end{conn: c, fd: -1}
	w.shared.conns.Add(1)
	c.await()
	return c, front
}

// TestAwaitDoesNotAllocate asserts that a header may come in as many pieces as it
// likes, and costs nothing.
func TestAwaitDoesNotAllocate(t *testing.T) {
	w := testWorker(t)
	c, front := awaitingConn(t, w)
	header := proxyproto.AppendV1(nil, netip.MustParseAddrPort("203.0.113.9:1"), netip.MustParseAddrPort("203.0.113.1:2"))
	if _, err := front.Write(header[:len(header)-1]); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); !socket.HasInput(c.client.fd) && time.Now().Before(deadline); {
		unix.Poll(nil, 1)
	}
	if n := testing.AllocsPerRun(100, func() { c.awaitEdge(loop.Readable) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if c.state != awaiting {
		t.Errorf("state %d", c.state)
	}
	c.abort(0)
	if n := w.shared.clients.Len(); n != 0 {
		t.Errorf("%d clients are remembered", n)
	}
}

// TestIntroduceDoesNotAllocate asserts the same of a header that is sent.
func TestIntroduceDoesNotAllocate(t *testing.T) {
	w := testWorker(t)
	c, _ := awaitingConn(t, w)
	fd, dest := loopback(t)
	defer unix.Close(fd)
	c.relay.Start(w.workspace, c.client.fd, fd)
	if n := testing.AllocsPerRun(100, c.introduce); n != 0 {
		t.Errorf("%v allocations", n)
	}
	got := make([]byte, 28) // of version 2, for IPv4
	if _, err := dest.Read(got); err != nil {
		t.Fatal(err)
	}
	h, n, verdict := proxyproto.Parse(got)
	local, _ := socket.LocalAddr(c.client.fd)
	if verdict != proxyproto.Complete || n != len(got) || h.Source != c.from() || h.Dest != local {
		t.Errorf("%+v, %d bytes, %d; want %v to %v", h, n, verdict, c.from(), local)
	}
	c.abort(0)
}

// TestHeardChoosesAForwardsAddress asserts that a forward which is to bear clients'
// addresses leads a front's client to one of its own family.
func TestHeardChoosesAForwardsAddress(t *testing.T) {
	w := testWorker(t)
	c, _ := awaitingConn(t, w)
	c.relay.Start(w.workspace, c.client.fd, c.upstream.fd)
	path := upstream.Path{Source: source.Source{Kind: source.Client}}
	c.way = outbound.Plain(inbound.New(inbound.Spec{Kind: inbound.Direct, Tag: "t"}, 1, inbound.Defaults{Path: path}))
	for4, for6 := netip.MustParseAddrPort("127.0.0.1:9"), netip.MustParseAddrPort("[::1]:9")
	c.way.In.Dests = resolve.Fixed(for4, for6)
	c.dest = socket.EndpointOf(for4)
	h, _, _ := proxyproto.Parse(proxyproto.AppendV2(nil, proxyproto.TCP, netip.MustParseAddrPort("[2001:db8::9]:1"), netip.MustParseAddrPort("[2001:db8::1]:2")))
	c.heard(&h, loop.Readable)
	if got := c.dest.AddrPort(); got != for6 || c.from() != h.Source {
		t.Errorf("%v is led to %v, want %v", c.from(), got, for6)
	}
	c.abort(0)
	if n := w.shared.clients.Len(); n != 0 || w.shared.Conns() != 0 {
		t.Errorf("%d clients are remembered, %d conns", n, w.shared.Conns())
	}
}

// TestAwaitingGivesWay asserts that a front which says nothing gives way like a
// dial that nobody answers, and gives back all it held.
func TestAwaitingGivesWay(t *testing.T) {
	w := testWorker(t)
	c, _ := awaitingConn(t, w)
	c.active = w.r.Now() - dialFloor - 1
	if !w.makeWay(false) || c.state != closed || w.shared.Conns() != 0 || w.shared.clients.Len() != 0 {
		t.Errorf("state %d, %d conns, %d clients", c.state, w.shared.Conns(), w.shared.clients.Len())
	}
}
