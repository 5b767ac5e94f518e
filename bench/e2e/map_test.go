//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/bench/lab"
)

// mappedPort is where the server listens, and mapped leads the first port of each
// way there.
const (
	mappedPort uint16 = 50080
	mapped            = "20000=50080,21000=50080"
)

// TestMap asserts that what is diverted to one port is carried to the other of the
// same address, by each way, and that replies bear the first.
func TestMap(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{flags: []string{"--map=" + mapped, "--udp-timeout=2s"}})
	g.shared = writeBackFDs
	overWays(t, ways(), func(t *testing.T, w way) {
		for _, host := range []netip.Addr{w.server(), w.pick("198.18.0.7", "2001:2::7")} {
			echoTCP(t, g.Server, netip.AddrPortFrom(host, mappedPort))
			c := dialTCP(t, g.Client, netip.AddrPortFrom(host, w.port(0)))
			if err := exchange(c, "by another port"); err != nil {
				t.Errorf("%v: %v", host, err)
			}
			c.Close()
		}
	})
	overWays(t, udpWays(), func(t *testing.T, w way) {
		e := startEcho(t, g.Server, netip.AddrPortFrom(w.server(), mappedPort))
		c := g.udpClient(t, w)
		for _, size := range []int{1, 1200, 9000, 60000} {
			ask(t, c, w.dest(0), payload(size))
		}
		stranger := listenUDP(t, g.Server, netip.AddrPortFrom(w.pick("198.18.0.8", "2001:2::8"), 7000))
		if _, err := stranger.WriteToUDPAddrPort([]byte("hello"), e.last()); err != nil {
			t.Fatal(err)
		}
		got, err := next(c, patience)
		if from := stranger.LocalAddr().String(); err != nil || got.from.String() != from {
			t.Errorf("a datagram from %s came from %v (%v)", from, got.from, err)
		}
	})
	if c := g.counters(t); c.blemishes() > 0 {
		t.Errorf("not all went well: %v", c)
	}
}

// TestMapOneNetwork asserts that a map of one network leaves the other alone.
func TestMapOneNetwork(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{flags: []string{"--map=tcp:21000=50080", "--map=udp:21001=50080", "--udp-timeout=2s"}})
	g.shared = writeBackFDs
	overWays(t, udpWays(), func(t *testing.T, w way) {
		echoTCP(t, g.Server, netip.AddrPortFrom(w.server(), mappedPort))
		echoTCP(t, g.Server, w.dest(1))
		startEcho(t, g.Server, netip.AddrPortFrom(w.server(), mappedPort))
		startEcho(t, g.Server, w.dest(0))
		for i := range 2 {
			c := dialTCP(t, g.Client, w.dest(i))
			if err := exchange(c, "which port?"); err != nil {
				t.Errorf("%d: %v", i, err)
			}
			c.Close()
			ask(t, g.udpClient(t, w), w.dest(i), []byte("which port?"))
		}
	})
}

// TestMapMixed asserts that a client which writes from one port to a port that is
// mapped, to another that is mapped to the same, and to that one itself, hears from
// each what it asked there.
func TestMapMixed(t *testing.T) {
	t.Parallel()
	g := startUDPGateway(t, setup{flags: []string{"--map=21000=50080,21001=50080"}})
	overWays(t, udpWays(), func(t *testing.T, w way) {
		startEcho(t, g.Server, netip.AddrPortFrom(w.server(), mappedPort))
		c := g.udpClient(t, w)
		for i := range 50 {
			for _, dest := range []netip.AddrPort{w.dest(0), w.dest(1), netip.AddrPortFrom(w.server(), mappedPort)} {
				ask(t, c, dest, fmt.Appendf(nil, "question %d to %v", i, dest))
			}
		}
		for i := range 30 { // all in one turn, perhaps
			for _, dest := range []netip.AddrPort{w.dest(0), w.dest(1), netip.AddrPortFrom(w.server(), mappedPort)} {
				if _, err := c.WriteToUDPAddrPort(fmt.Appendf(nil, "%v %d", dest, i), dest); err != nil {
					t.Fatal(err)
				}
			}
		}
		for range 90 {
			got, err := next(c, patience)
			if err != nil || string(got.data[:len(got.from.String())]) != got.from.String() {
				t.Fatalf("%q came from %v (%v)", got.data, got.from, err)
			}
		}
	})
	if n := g.counters(t).number("udp_sessions_opened"); n != 6 {
		t.Errorf("%d sessions, want 6", n)
	}
}

// TestMapICMP asserts that errors about a datagram to a mapped port name the port
// that the client wrote to, and those about a forward the forward.
func TestMapICMP(t *testing.T) {
	t.Parallel()
	g := startUDPGateway(t, setup{flags: []string{"--map=21000=50080",
		"--forward=:30000=10.77.2.2:50081,udp", "--forward=:30001=[fd77:2::2]:50081,udp"},
		divert: func(l *lab.Lab) error { return l.TProxyNFT(tproxyPort, ports(tproxyFirst)...) }})
	overWays(t, udpWays(), func(t *testing.T, w way) {
		forward := map[bool]uint16{false: 30000, true: 30001}[w.v6]
		for _, dest := range []netip.AddrPort{w.dest(0), netip.AddrPortFrom(w.gateway(), forward)} {
			c := connectedUDP(t, g.Client, dest)
			if _, err := c.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, unix.ECONNREFUSED) {
				t.Errorf("%v: the client got %v", dest, err)
			}
		}
	})
}

// TestMapReload asserts that a reload changes where new connections and datagrams
// go.
func TestMapReload(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sluice.json")
	configureClients(t, path, `"map": []`)
	g := startGateway(t, setup{listen: []string{"--config=" + path}, flags: []string{"--udp-timeout=2s"}})
	g.shared = writeBackFDs
	for i, m := range []struct {
		settings string
		port     uint16
	}{{`"map": ["21000=50080"]`, 50080}, {`"map": "21000=50081"`, 50081}, {`"map": []`, 21000}} {
		g.reload(t, path, m.settings)
		overWays(t, udpWays(), func(t *testing.T, w way) {
			answer(t, g.Server, netip.AddrPortFrom(w.server(), m.port))
			conn := dialTCP(t, g.Client, w.dest(0))
			if err := exchange(conn, "after a reload"); err != nil {
				t.Errorf("%d: %v", i, err)
			}
			conn.Close()
			ask(t, g.udpClient(t, w), w.dest(0), []byte("after a reload"))
		})
	}
}

// TestMapPrograms asks a web server and a DNS server at ports that are not theirs.
func TestMapPrograms(t *testing.T) {
	t.Parallel()
	curl, nginx := needProgram(t, "curl", "curl"), needProgram(t, "nginx", "nginx-light")
	dig, dnsmasq := needProgram(t, "dig", "bind9-dnsutils"), needProgram(t, "dnsmasq", "dnsmasq-base")
	g := startGateway(t, setup{flags: []string{"--map=20003=20000,21003=21000,53=5353", "--udp-timeout=2s"}})
	g.shared = writeBackFDs
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "nginx.conf"), fmt.Sprintf(nginxConf, dir))
	g.serve(t, []uint16{20000, 21000}, nginx, "-c", filepath.Join(dir, "nginx.conf"))
	g.serve(t, []uint16{5353}, dnsmasq, "--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--user=root",
		"--pid-file=", "--log-facility=-", "--port=5353", "--host-record=a.test,192.0.2.7,2001:db8::7")
	overWays(t, ways(), func(t *testing.T, w way) {
		out := g.runClient(t, 10*time.Second, curl, "--silent", "--show-error", "--noproxy", "*", "--write-out", "%{remote_port}", "http://"+w.dest(3).String()+"/")
		if want := fmt.Sprintf("%v %v:%d\n%d", w.seen(), w.server(), w.port(0), w.port(3)); out != want {
			t.Errorf("got %q, want %q", out, want)
		}
		if !w.tproxy {
			return
		}
		for _, transport := range []string{"+tcp", "+notcp"} {
			out := g.runClient(t, 10*time.Second, dig, "@"+w.server().String(), "+short", "+time=3", "+tries=1", transport, "a.test", "AAAA")
			if out != "2001:db8::7\n" {
				t.Errorf("%s: %q", transport, out)
			}
		}
	})
}
