//go:build linux

package e2e

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"
	"golang.org/x/sys/unix"

	"sluice/bench/lab"
)

// acceptingFrom trusts the lab's own client, and none of its other addresses.
var acceptingFrom = []string{"--accept-proxy=" + lab.Client4, "--accept-proxy=" + lab.Client6}

// behind is who a front says that it speaks for, reached where that one connected to.
func (w way) behind() netip.AddrPort {
	return netip.AddrPortFrom(w.pick("203.0.113.9", "2001:db8::9"), 45678)
}

func (w way) reached() netip.AddrPort {
	return netip.AddrPortFrom(w.pick("203.0.113.1", "2001:db8::1"), 443)
}

// header is one of a version.
func (w way) header(t *testing.T, version byte, tlvs ...proxyproto.TLV) []byte {
	t.Helper()
	h := proxyproto.HeaderProxyFromAddrs(version, net.TCPAddrFromAddrPort(w.behind()),
		net.TCPAddrFromAddrPort(w.reached()))
	if err := h.SetTLVs(tlvs); err != nil {
		t.Fatal(err)
	}
	b, err := h.Format()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// frontConn connects as a front.
func (g *gateway) frontConn(t *testing.T, dest netip.AddrPort) *net.TCPConn {
	t.Helper()
	c := dialTCP(t, g.Client, dest)
	if err := c.SetNoDelay(true); err != nil {
		t.Fatal(err)
	}
	return c
}

// binaryHeader is any of version 2.
func binaryHeader(command, family byte, block []byte) []byte {
	b := append([]byte("\r\n\r\n\x00\r\nQUIT\n"), command, family)
	return append(binary.BigEndian.AppendUint16(b, uint16(len(block))), block...)
}

// TestAcceptProxy asserts that the client is who the header says, or the front
// where it names nobody, and that what follows arrives unchanged; however the
// header is cut.
func TestAcceptProxy(t *testing.T) {
	t.Parallel()
	overWays(t, ways(), func(t *testing.T, w way) {
		t.Parallel()
		g := startGateway(t, setup{flags: append([]string{"--send-proxy=v2"}, acceptingFrom...)})
		ln := listenTCP(t, g.Server, w.dest(0))
		large := proxyproto.TLV{Type: proxyproto.PP2_TYPE_NOOP, Value: make([]byte, 15<<10)}
		for name, c := range map[string]struct {
			header []byte
			front  bool // it is the client
		}{
			"v1":      {header: w.header(t, 1)},
			"v2":      {header: w.header(t, 2)},
			"TLVs":    {header: w.header(t, 2, proxyproto.TLV{Type: proxyproto.PP2_TYPE_ALPN, Value: []byte("h2")}, large)},
			"UNKNOWN": {[]byte("PROXY UNKNOWN\r\n"), true},
			"LOCAL":   {binaryHeader(0x20, 0, nil), true},
			"UNSPEC":  {binaryHeader(0x21, 0, make([]byte, 7)), true},
			"AF_UNIX": {binaryHeader(0x21, 0x31, make([]byte, 216)), true},
		} {
			for _, piece := range []int{1 << 20, 1, 7, 100} {
				for _, follows := range []int{0, 1, 200_000} {
					if len(c.header) > 1000 && piece < 100 || piece != 1<<20 && follows > 1 {
						continue
					}
					t.Run(fmt.Sprintf("%s by %d before %d", name, piece, follows), func(t *testing.T) {
						near := g.frontConn(t, w.dest(0))
						client, dest := w.behind(), w.reached()
						if c.front {
							client, dest = near.LocalAddr().(*net.TCPAddr).AddrPort(), w.dest(0)
						}
						stream := append(bytes.Clone(c.header), payload(follows)...)
						for len(stream) > 0 {
							n := min(piece, len(stream))
							mustWrite(t, near, stream[:n])
							stream = stream[n:]
						}
						far := accept(t, ln)
						in := readHeader(t, far)
						if in.source != client || in.dest != dest {
							t.Errorf("the client is %v, its destination %v, want %v, %v", in.source, in.dest, client, dest)
						}
						mustWrite(t, far, []byte("welcome"))
						wantBytes(t, near, []byte("welcome"))
						mustWrite(t, near, []byte("thanks"))
						mustCloseWrite(t, near)
						wantEnd(t, in.rest, append(payload(follows), "thanks"...))
						far.Close()
						wantEnd(t, near, nil)
					})
				}
			}
		}
	})
}

// TestAcceptProxyFromFrontsAlone asserts that a header of anybody else is data,
// and that fronts come and go with a reload.
func TestAcceptProxyFromFrontsAlone(t *testing.T) {
	t.Parallel()
	overWays(t, ways(), func(t *testing.T, w way) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "sluice.json")
		settings := fmt.Sprintf(`"accept_proxy": [%q, %q], "send_proxy": "off"`, lab.Client4, lab.Client6)
		configureClients(t, path, settings)
		g := startGateway(t, setup{listen: []string{"--config=" + path}})
		ln := listenTCP(t, g.Server, w.dest(0))
		want := func(from netip.Addr, isFront bool) {
			t.Helper()
			near := inside(t, g.Client, func() (*net.TCPConn, error) { return connect(netip.AddrPortFrom(from, 0), w.dest(0)) })
			defer near.Close()
			stream := append(w.header(t, 1), "payload"...)
			mustWrite(t, near, stream)
			mustCloseWrite(t, near)
			far := accept(t, ln)
			defer far.Close()
			if isFront {
				stream = []byte("payload")
			}
			wantEnd(t, far, stream)
		}
		want(w.client(), true)
		want(w.normal(), false)
		g.reload(t, path, `"accept_proxy": ["10.78.0.0/16", "fd78::/64"]`)
		want(w.client(), false)
		want(w.normal(), true)
		g.reload(t, path, `"accept_proxy": []`)
		want(w.normal(), false)
	})
}

// TestAcceptProxyRefuses asserts that a front whose header is amiss gets a reset,
// which is counted and told.
func TestAcceptProxyRefuses(t *testing.T) {
	t.Parallel()
	overWays(t, ways(), func(t *testing.T, w way) {
		t.Parallel()
		g := startGateway(t, setup{flags: acceptingFrom})
		ln := listenTCP(t, g.Server, w.dest(0))
		v2 := w.header(t, 2)
		for name, c := range map[string]struct {
			stream  []byte
			ends    bool // the front ends it
			counter string
			why     string
		}{
			"absent":        {stream: []byte("GET / HTTP/1.1\r\n"), counter: "refused_proxy_absent", why: "something else"},
			"malformed":     {stream: []byte("PROXY TCP4 nobody 1.2.3.4 1 2\r\n"), counter: "refused_proxy_malformed", why: "no sense"},
			"line too long": {stream: []byte("PROXY UNKNOWN " + strings.Repeat("x", 100)), counter: "refused_proxy_malformed", why: "no sense"},
			"too long":      {stream: binaryHeader(0x21, 0x11, make([]byte, 1<<16-1))[:100], counter: "refused_proxy_malformed", why: "longer than 16 KiB"},
			"no host":       {stream: []byte("PROXY TCP4 224.0.0.1 1.2.3.4 1 2\r\n"), counter: "refused_proxy_malformed", why: "no host"},
			"cut":           {stream: v2[:20], ends: true, counter: "refused_proxy_malformed", why: "ended within"},
			"late":          {stream: v2[:20], counter: "refused_proxy_late", why: "3 s"},
			"never":         {counter: "refused_proxy_late", why: "3 s"},
		} {
			t.Run(name, func(t *testing.T) {
				before, lines := g.counters(t).number(c.counter), g.log.Len()
				near := g.frontConn(t, w.dest(0))
				start := time.Now()
				mustWrite(t, near, c.stream)
				if c.ends {
					mustCloseWrite(t, near)
				}
				wantReset(t, near, nil)
				if late := strings.HasSuffix(c.counter, "late"); late != (time.Since(start) > 2500*time.Millisecond) {
					t.Errorf("refused after %v", time.Since(start))
				}
				if n := g.counters(t).number(c.counter); n != before+1 {
					t.Errorf("%s is %d, was %d", c.counter, n, before)
				}
				told := g.log.since(lines, func(e entry) bool {
					return strings.Contains(e.text("error"), c.why) && e.text("peer") == near.LocalAddr().String()
				})
				if len(told) == 0 && before == 0 { // later ones are told at times
					t.Error("nothing was told")
				}
			})
		}
		near := g.frontConn(t, w.dest(0)) // a health check
		near.Close()
		g.untilCounter(t, "client_gave_up", 1)
		near = g.frontConn(t, w.dest(0))
		reset(t, near)
		g.untilCounter(t, "client_gave_up", 2)
		if err := ln.SetDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if c, err := ln.Accept(); err == nil {
			t.Errorf("%v reached the server", c.RemoteAddr())
		}
	})
}

// TestAcceptProxyBoundsClients asserts that the bounds of clients are for those
// that the headers name, and not for the front.
func TestAcceptProxyBoundsClients(t *testing.T) {
	t.Parallel()
	const bound = 4
	overWays(t, ways(), func(t *testing.T, w way) {
		t.Parallel()
		g := startGateway(t, setup{flags: append([]string{fmt.Sprintf("--client-conns=%d", bound), "--client-dials=2"}, acceptingFrom...)})
		echoTCP(t, g.Server, w.dest(0))
		idle := make([]*net.TCPConn, 3*bound) // of the front's, which say nothing yet
		for i := range idle {
			idle[i] = g.frontConn(t, w.dest(0))
		}
		ask := func(i int) error {
			near := g.frontConn(t, w.dest(0))
			client := netip.AddrPortFrom(w.pick(fmt.Sprintf("203.0.113.%d", i), fmt.Sprintf("2001:db8:0:%x::1", i)), 1000)
			h := proxyproto.HeaderProxyFromAddrs(2, net.TCPAddrFromAddrPort(client), net.TCPAddrFromAddrPort(w.dest(0)))
			if _, err := h.WriteTo(near); err != nil {
				return err
			}
			return exchange(near, "served?")
		}
		for i := 1; i <= 3*bound; i++ {
			if err := ask(i); err != nil {
				t.Errorf("client %d: %v", i, err)
			}
		}
		for i := 1; i < bound; i++ {
			if err := ask(1); err != nil {
				t.Errorf("connection %d of one client: %v", i+1, err)
			}
		}
		if err := ask(1); !errors.Is(err, unix.ECONNRESET) && !errors.Is(err, unix.EPIPE) {
			t.Errorf("one more than it may: %v", err)
		}
		if err := ask(2); err != nil {
			t.Errorf("another: %v", err)
		}
		g.untilCounter(t, "refused_client_conns", 1)
		for _, c := range idle {
			mustWrite(t, c, append(binaryHeader(0x20, 0, nil), "late"...))
		}
		served := 0
		for _, c := range idle { // the front itself is a client like others, where it speaks for itself
			got := make([]byte, 4)
			if _, err := io.ReadFull(c, got); err == nil && string(got) == "late" {
				served++
			}
		}
		if served == 0 || served > bound {
			t.Errorf("%d connections of the front itself were served, want up to %d", served, bound)
		}
	})
}

// TestAcceptProxyWithItsSource asserts that the server sees the address of the
// client that the header names, and its port where it can, or the gateway's where
// that is of another family.
func TestAcceptProxyWithItsSource(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{
		divert: divertNothing, listen: []string{fmt.Sprintf("--tproxy=:%d", tproxyPort)},
		flags: append([]string{"--install-rules", "--iface=" + lab.LAN, "--source=client"}, acceptingFrom...),
	})
	g.shared = 2 // netlink sockets that watch the rules; they may open after it is ready
	overWays(t, udpWays(), func(t *testing.T, w way) {
		ln := listenTCP(t, g.Server, w.dest(0))
		for i, c := range []struct{ client, seen netip.Addr }{
			{w.normal(), w.normal()},
			{way{v6: !w.v6}.normal(), w.seen()},
			{w.client(), w.client()}, // the front's own address, and a port that it does not have
		} {
			client := netip.AddrPortFrom(c.client, uint16(45000+i))
			h := proxyproto.HeaderProxyFromAddrs(2, net.TCPAddrFromAddrPort(client), net.TCPAddrFromAddrPort(netip.AddrPortFrom(c.client, 443)))
			near := g.frontConn(t, w.dest(0))
			if _, err := h.WriteTo(near); err != nil {
				t.Fatal(err)
			}
			mustWrite(t, near, payload(50_000))
			mustCloseWrite(t, near)
			far := accept(t, ln)
			seen := far.RemoteAddr().(*net.TCPAddr).AddrPort()
			if seen.Addr() != c.seen || c.seen == c.client && seen != client {
				t.Errorf("the server sees %v, the client is %v", seen, client)
			}
			wantEnd(t, far, payload(50_000))
			mustWrite(t, far, payload(50_001))
			far.Close()
			wantEnd(t, near, payload(50_001))
		}
	})
	g.untilCounter(t, "source_fallback", 2)
}
