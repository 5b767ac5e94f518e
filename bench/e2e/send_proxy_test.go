//go:build linux

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/pires/go-proxyproto"
	"golang.org/x/sys/unix"
)

// introduction is what a server was told by the header of a connection.
type introduction struct {
	version      byte
	source, dest netip.AddrPort // zero where it names none
	rest         *bufio.Reader  // what follows it
}

// readHeader reads the header that a connection must begin with.
func readHeader(t *testing.T, c *net.TCPConn) introduction {
	t.Helper()
	r := bufio.NewReader(c)
	h, err := proxyproto.Read(r)
	if err != nil {
		t.Fatalf("header: %v", err)
	}
	in := introduction{version: h.Version, rest: r}
	if source, dest, ok := h.TCPAddrs(); ok {
		in.source, in.dest = unmapped(source), unmapped(dest)
	}
	return in
}

func unmapped(a *net.TCPAddr) netip.AddrPort {
	ap := a.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// overVersions runs a test with both versions of the header over each way.
func overVersions(t *testing.T, test func(*testing.T, way, byte)) {
	for _, version := range []byte{1, 2} {
		for _, w := range ways() {
			t.Run(fmt.Sprintf("v%d %v", version, w), func(t *testing.T) {
				t.Parallel()
				test(t, w, version)
			})
		}
	}
}

// pairTold is pair, of which the server has read the header; it must be right.
func (g *gateway) pairTold(t *testing.T, w way, version byte) (client, server *net.TCPConn, rest io.Reader) {
	t.Helper()
	client, server = g.pair(t, w)
	in := readHeader(t, server)
	if source := client.LocalAddr().(*net.TCPAddr).AddrPort(); in.version != version || in.source != source || in.dest != w.dest(0) {
		t.Errorf("told in version %d: %v to %v, want %v to %v", in.version, in.source, in.dest, source, w.dest(0))
	}
	return client, server, in.rest
}

// TestSendProxy asserts that a destination is told once and first who the client
// is and where it wanted to go, whoever speaks first and however much follows.
func TestSendProxy(t *testing.T) {
	t.Parallel()
	overVersions(t, func(t *testing.T, w way, version byte) {
		g := startGateway(t, setup{flags: []string{fmt.Sprintf("--send-proxy=v%d", version)}})

		near, far, rest := g.pairTold(t, w, version) // nobody has spoken yet
		mustWrite(t, far, []byte("the server speaks first"))
		wantBytes(t, near, []byte("the server speaks first"))
		much := payload(3 << 20)
		go func() {
			_, _ = near.Write(much)
			_ = near.CloseWrite()
		}()
		wantEnd(t, rest, much)
		mustWrite(t, far, payload(1<<20))
		far.Close()
		wantEnd(t, near, payload(1<<20))

		near, far, rest = g.pairTold(t, w, version) // the client says nothing at all
		mustCloseWrite(t, near)
		wantEnd(t, rest, nil)
		far.Close()
		wantEnd(t, near, nil)

		ln := listenTCP(t, g.Server, w.dest(1)) // it has spoken before the server is there
		near = dialTCP(t, g.Client, w.dest(1))
		mustWrite(t, near, payload(100_000))
		far = accept(t, ln)
		wantBytes(t, readHeader(t, far).rest, payload(100_000))
		reset(t, near)
		wantReset(t, far, nil)
	})
}

// TestSendProxyOfAnInbound asserts that an inbound may differ from the others,
// and that a reload changes what new connections begin with.
func TestSendProxyOfAnInbound(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sluice.json")
	configure := func(all, redirect string) {
		writeFile(t, path, fmt.Sprintf(`{"inbounds": [{"type": "redirect", "listen_port": %d%s}, {"type": "tproxy", "listen_port": %d}]%s}`,
			redirectPort, redirect, tproxyPort, all))
	}
	configure(`, "send_proxy": "v2"`, `, "send_proxy": "off"`)
	g := startGateway(t, setup{listen: []string{"--config=" + path}})
	want := func(redirect, tproxy byte) {
		t.Helper()
		for _, w := range ways() {
			version := redirect
			if w.tproxy {
				version = tproxy
			}
			if version != 0 {
				near, far, _ := g.pairTold(t, w, version)
				near.Close()
				far.Close()
				continue
			}
			near, far := g.pair(t, w)
			mustWrite(t, near, []byte("at once"))
			near.Close()
			wantEnd(t, far, []byte("at once"))
			far.Close()
		}
	}
	want(0, 2)
	configure("", `, "send_proxy": "v1"`)
	before := g.log.Len()
	g.signal(t, syscall.SIGHUP)
	until(t, "sluice has reloaded", func() bool { return len(g.log.since(before, message("reloaded"))) > 0 })
	want(1, 0)
}

// TestSendProxyAtOnce asserts that the header leaves with the last packet of the
// handshake, and a client's bytes that are there already right behind it.
func TestSendProxyAtOnce(t *testing.T) {
	t.Parallel()
	overWays(t, ways(), func(t *testing.T, w way) {
		t.Parallel()
		g := startGateway(t, setup{flags: []string{"--send-proxy=v2"}})
		_, far, _ := g.pairTold(t, w, 2)
		control(t, far, func(fd int) error {
			info, err := unix.GetsockoptTCPInfo(fd, unix.SOL_TCP, unix.TCP_INFO)
			const packets = 2 // SYN, and the handshake's last ACK with the header (tcp_create_openreq_child counts the SYN)
			if err == nil && (info.Segs_in != packets || info.Data_segs_in != 1) {
				t.Errorf("%d packets came, %d of them with data", info.Segs_in, info.Data_segs_in)
			}
			return err
		})
	})
}
