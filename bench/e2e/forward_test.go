//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/bench/lab"
)

// forwardTimeout ends the sessions of a test soon.
const forwardTimeout = "--udp-timeout=2s"

// startForwards runs a sluice that has forwards alone, and no rules but those that
// divert adds.
func startForwards(t *testing.T, s setup, forwards ...string) *gateway {
	t.Helper()
	for _, f := range forwards {
		s.listen = append(s.listen, "--forward="+f)
	}
	s.flags = append([]string{forwardTimeout}, s.flags...)
	if s.divert == nil {
		s.divert = divertNothing
	}
	g := startGateway(t, s)
	g.shared = writeBackFDs
	return g
}

// reach asserts that TCP and UDP from the client to an address are answered by
// those who answer it.
func (g *gateway) reach(t *testing.T, from *lab.Namespace, to netip.AddrPort) {
	t.Helper()
	c := dialTCP(t, from, to)
	if err := exchange(c, "by a forward"); err != nil {
		t.Errorf("TCP to %v: %v", to, err)
	}
	c.Close()
	g.reachUDP(t, from, to)
}

func (g *gateway) reachUDP(t *testing.T, from *lab.Namespace, to netip.AddrPort) {
	t.Helper()
	any := netip.IPv4Unspecified()
	if !to.Addr().Is4() {
		any = netip.IPv6Unspecified()
	}
	u := listenUDP(t, from, netip.AddrPortFrom(any, 0))
	defer u.Close()
	for _, size := range []int{1, 1200, 0, 9000} {
		ask(t, u, to, payload(size))
	}
}

// answer serves TCP and UDP at an address.
func answer(t *testing.T, ns *lab.Namespace, at netip.AddrPort) {
	t.Helper()
	echoTCP(t, ns, at)
	startEcho(t, ns, at)
}

// TestForwards asserts that forwards lead clients of both families to servers of
// both, elsewhere and on the gateway itself, and that answers come from where the
// client asked.
func TestForwards(t *testing.T) {
	t.Parallel()
	behind := []struct {
		ns *lab.Namespace
		at string
	}{
		{nil, "10.77.2.2:8000"}, {nil, "[fd77:2::2]:8000"}, {nil, "198.18.0.9:8000"},
		{nil, "127.0.0.1:8001"}, {nil, "[::1]:8001"}, {nil, "10.77.1.1:8002"}, {nil, "[fd77:2::1]:8002"},
	}
	var forwards []string
	for i, b := range behind {
		forwards = append(forwards, fmt.Sprintf(":%d=%s", 30000+i, b.at), fmt.Sprintf("10.77.1.1:%d=%s", 31000+i, b.at),
			fmt.Sprintf("[fd77:1::1]:%d=%s", 31000+i, b.at))
	}
	g := startForwards(t, setup{}, forwards...)
	for i := range behind {
		at := netip.MustParseAddrPort(behind[i].at)
		if behind[i].ns = g.Server; at.Port() != 8000 {
			behind[i].ns = g.Gateway
		}
		answer(t, behind[i].ns, at)
	}
	for i := range behind {
		for _, host := range []string{lab.GatewayLAN4, lab.GatewayLAN6} {
			for _, port := range []int{30000 + i, 31000 + i} {
				g.reach(t, g.Client, netip.AddrPortFrom(netip.MustParseAddr(host), uint16(port)))
			}
		}
		for _, host := range []string{"127.0.0.1", "::1", lab.GatewayWAN4, lab.GatewayWAN6} {
			g.reach(t, g.Gateway, netip.AddrPortFrom(netip.MustParseAddr(host), uint16(30000+i)))
		}
	}
	if c := g.counters(t); c.blemishes() > 0 {
		t.Errorf("not all went well: %v", c)
	}
}

// TestForwardAddresses asserts that a client which asks one forward at two of its
// addresses, from one port, hears from each what it asked there.
func TestForwardAddresses(t *testing.T) {
	t.Parallel()
	g := startForwards(t, setup{}, ":30000=10.77.2.2:8000,udp", ":30001=10.77.2.2:8001,udp")
	startEcho(t, g.Server, netip.MustParseAddrPort("10.77.2.2:8000"))
	startEcho(t, g.Server, netip.MustParseAddrPort("10.77.2.2:8001"))
	for _, v6 := range []bool{false, true} {
		w := way{tproxy: true, v6: v6}
		c := g.udpClient(t, w)
		for range 3 {
			for _, host := range []netip.Addr{w.gateway(), w.seen()} {
				ask(t, c, netip.AddrPortFrom(host, 30000), []byte("which address?"))
				ask(t, c, netip.AddrPortFrom(host, 30001), []byte("which port?"))
			}
		}
	}
	if n := g.counters(t).number("udp_sessions_opened"); n != 8 {
		t.Errorf("%d sessions, want 8", n)
	}
}

// TestForwardLinkLocal asserts that a client which has nothing but a link-local
// address is served at the gateway's.
func TestForwardLinkLocal(t *testing.T) {
	t.Parallel()
	g := startForwards(t, setup{}, ":30000=10.77.2.2:8000", ":30001=[fd77:2::2]:8000")
	answer(t, g.Server, netip.MustParseAddrPort("10.77.2.2:8000"))
	answer(t, g.Server, netip.MustParseAddrPort("[fd77:2::2]:8000"))
	client := linkLocal(t, g.Client)
	to := linkLocal(t, g.Gateway).Addr().WithZone(client.Addr().Zone())
	u := listenUDP(t, g.Client, client)
	for _, port := range []uint16{30000, 30001} {
		at := netip.AddrPortFrom(to, port)
		c := inside(t, g.Client, func() (*net.TCPConn, error) { return connect(client, at) })
		if err := exchange(c, "from the link"); err != nil {
			t.Errorf("%v: %v", at, err)
		}
		c.Close()
		if _, err := u.WriteToUDPAddrPort([]byte("from the link"), at); err != nil {
			t.Fatal(err)
		}
		if got, err := next(u, patience); err != nil || got.from.Addr().WithZone("") != to.WithZone("") || got.from.Port() != port {
			t.Errorf("an answer came from %v (%v), want %v", got.from, err, at)
		}
	}
}

// TestForwardStrangers asserts that nobody but where a forward leads can write to
// its sessions.
func TestForwardStrangers(t *testing.T) {
	t.Parallel()
	g := startForwards(t, setup{}, ":30000=10.77.2.2:8000,udp")
	server := startEcho(t, g.Server, netip.MustParseAddrPort("10.77.2.2:8000"))
	c := g.udpClient(t, way{tproxy: true})
	ask(t, c, netip.MustParseAddrPort(lab.GatewayLAN4+":30000"), []byte("hello"))
	for i, from := range []string{"10.77.2.2:8001", "198.18.0.1:8000"} {
		stranger := listenUDP(t, g.Server, netip.MustParseAddrPort(from))
		if _, err := stranger.WriteToUDPAddrPort([]byte("let me in"), server.last()); err != nil {
			t.Fatal(err)
		}
		g.untilCounter(t, "dropped_stranger", i+1)
	}
	wantNothing(t, c)
}

// ownedByHand are the rules of a foreign listener alone.
func ownedByHand(l *lab.Lab) error {
	return l.OwnedNFT()
}

// TestForeignListener asserts that the documents' example works as written: what is
// routed here for an address that nobody here has reaches a forward there, without
// a TPROXY rule.
func TestForeignListener(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]setup{"by hand": {divert: ownedByHand}, "installed": {divert: divertNothing, flags: []string{"--install-rules"}}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reachForeign(t, s)
		})
	}
}

func reachForeign(t *testing.T, s setup) {
	t.Helper()
	const foreign4, foreign6 = "222.173.190.239:51966", "[2001:db8:dead:beef::cafe]:51966"
	g := startForwards(t, s, foreign4+"=10.77.2.2:8000", foreign6+"=[fd77:2::2]:8000",
		"222.173.190.239:51967=127.0.0.1:8001", "222.173.190.239:51968=[::1]:8001")
	answer(t, g.Server, netip.MustParseAddrPort("10.77.2.2:8000"))
	answer(t, g.Server, netip.MustParseAddrPort("[fd77:2::2]:8000"))
	answer(t, g.Gateway, netip.MustParseAddrPort("127.0.0.1:8001"))
	answer(t, g.Gateway, netip.MustParseAddrPort("[::1]:8001"))
	for _, at := range []string{foreign4, foreign6, "222.173.190.239:51967", "222.173.190.239:51968"} {
		g.reach(t, g.Client, netip.MustParseAddrPort(at))
	}
	if c := g.counters(t); c.blemishes() > 0 {
		t.Errorf("not all went well: %v", c)
	}
}

// TestForwardRefusesCircles asserts that a forward which leads to sluice itself is
// refused, at the start where that is known, else when it comes about.
func TestForwardRefusesCircles(t *testing.T) {
	t.Parallel()
	for _, circle := range [][]string{
		{"--forward=:30000=127.0.0.1:30000"}, {"--forward=:30000=[::1]:30000"}, {"--forward=:30000=" + lab.GatewayLAN4 + ":30000"},
		{"--forward=:30000=10.77.2.2:80", "--forward=" + lab.GatewayLAN4 + ":1=" + lab.GatewayWAN4 + ":30000"},
		{"--forward=192.0.2.1:1=192.0.2.1:1"}, {"--tproxy=:12345", "--forward=:1=127.0.0.1:12345"},
	} {
		g := launch(t, lab.For(t, lab.Options{}), setup{listen: circle})
		until(t, "sluice ends", g.ended)
		if g.exit == nil || !strings.Contains(g.log.String(), "leads to where sluice itself listens") {
			t.Errorf("%v: %v, %s", circle, g.exit, g.log)
		}
	}
}

// TestForwardReload asserts that a reload changes where a forward leads for what
// comes, and not for what runs.
func TestForwardReload(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sluice.json")
	configure := func(dest string) {
		writeFile(t, path, fmt.Sprintf(`{"inbounds": [{"type": "direct", "listen_port": 30000, "override_address": %q, "override_port": 8000}]}`, dest))
	}
	configure(lab.Server4)
	g := startForwards(t, setup{listen: []string{"--config=" + path}})
	tell := func(host string) {
		at := netip.AddrPortFrom(netip.MustParseAddr(host), 8000)
		serveTCP(t, g.Server, at, func(c *net.TCPConn) {
			for buf := make([]byte, 64); ; {
				if _, err := c.Read(buf); err != nil {
					return
				}
				_, _ = io.WriteString(c, host)
			}
		})
		startEcho(t, g.Server, at)
	}
	tell(lab.Server4)
	tell("198.18.0.7")
	at := netip.MustParseAddrPort(lab.GatewayLAN4 + ":30000")
	asks := func(c *net.TCPConn, want string) {
		t.Helper()
		mustWrite(t, c, []byte("who?"))
		wantBytes(t, c, []byte(want))
	}
	first, u := dialTCP(t, g.Client, at), g.udpClient(t, way{tproxy: true})
	asks(first, lab.Server4)
	ask(t, u, at, []byte("before"))
	configure("198.18.0.7")
	before := g.log.Len()
	g.signal(t, syscall.SIGHUP)
	until(t, "sluice has reloaded", func() bool { return len(g.log.since(before, message("reloaded"))) > 0 })
	second := dialTCP(t, g.Client, at)
	asks(second, "198.18.0.7")
	asks(first, lab.Server4)
	ask(t, u, at, []byte("after"))
	first.Close()
	second.Close()
}

// TestForwardTakeover asserts that a sluice which takes over has the forwards of
// the one before, foreign ones too.
func TestForwardTakeover(t *testing.T) {
	t.Parallel()
	s := setup{divert: ownedByHand, flags: []string{"--drain-timeout=1m", forwardTimeout},
		listen: []string{"--forward=:30000=10.77.2.2:8000", "--forward=222.173.190.239:51966=10.77.2.2:8000"}}
	g := startFirst(t, s)
	answer(t, g.Server, netip.MustParseAddrPort("10.77.2.2:8000"))
	to := []netip.AddrPort{netip.MustParseAddrPort(lab.GatewayLAN4 + ":30000"), netip.MustParseAddrPort("222.173.190.239:51966")}
	var kept []*net.TCPConn
	for _, at := range to {
		g.reach(t, g.Client, at)
		kept = append(kept, dialTCP(t, g.Client, at))
	}
	next := g.succeed(t, s)
	for _, at := range to {
		next.reach(t, g.Client, at)
	}
	for _, c := range kept {
		if err := exchange(c, "still there"); err != nil {
			t.Error(err)
		}
		c.Close()
	}
	untilWithin(t, 2*patience, "the first ends", g.ended)
	if g.exit != nil {
		t.Errorf("the first: %v", g.exit)
	}
	for _, at := range to {
		next.reach(t, g.Client, at)
	}
}

// TestForwardPrograms puts real programs behind forwards: nginx behind curl, dnsmasq
// behind dig, and HAProxy in the place of both.
func TestForwardPrograms(t *testing.T) {
	t.Parallel()
	curl, nginx := needProgram(t, "curl", "curl"), needProgram(t, "nginx", "nginx-light")
	dig, dnsmasq := needProgram(t, "dig", "bind9-dnsutils"), needProgram(t, "dnsmasq", "dnsmasq-base")
	haproxy := needProgram(t, "haproxy", "haproxy")
	g := startForwards(t, setup{divert: ownedByHand},
		"222.173.190.239:80=10.77.2.2:20000", "[2001:db8::80]:80=[fd77:2::2]:21000,tcp", ":8080=10.77.2.2:8080,tcp", ":53=10.77.2.2:53")
	dir := t.TempDir()
	file := string(payload(5 << 20))
	writeFile(t, filepath.Join(dir, "nginx.conf"), fmt.Sprintf(nginxConf, dir))
	writeFile(t, filepath.Join(dir, "noise"), file)
	writeFile(t, filepath.Join(dir, "haproxy.cfg"), `
defaults
  mode tcp
  timeout connect 5s
  timeout client 20s
  timeout server 20s
listen web
  bind 10.77.2.2:8080
  server nginx 10.77.2.2:20000
`)
	g.serve(t, []uint16{20000, 21000}, nginx, "-c", filepath.Join(dir, "nginx.conf"))
	g.serve(t, []uint16{8080}, haproxy, "-f", filepath.Join(dir, "haproxy.cfg"))
	g.serve(t, []uint16{53}, dnsmasq, "--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--user=root",
		"--pid-file=", "--log-facility=-", "--host-record=a.test,192.0.2.7,2001:db8::7")
	for _, at := range []string{"222.173.190.239:80", "[2001:db8::80]:80", lab.GatewayLAN4 + ":8080", "[" + lab.GatewayLAN6 + "]:8080"} {
		out := g.runClient(t, 20*time.Second, curl, "--silent", "--show-error", "--noproxy", "*", "http://"+at+"/files/noise")
		if out != file {
			t.Errorf("%s: %d bytes of the file, want %d unchanged", at, len(out), len(file))
		}
	}
	for _, host := range []string{lab.GatewayLAN4, lab.GatewayLAN6} {
		for _, transport := range []string{"+tcp", "+notcp"} {
			out := g.runClient(t, 10*time.Second, dig, "@"+host, "+short", "+time=3", "+tries=1", transport, "a.test", "AAAA")
			if strings.TrimSpace(out) != "2001:db8::7" {
				t.Errorf("%s %s: %q", host, transport, out)
			}
		}
	}
}

// TestForeignTProxy asserts that a tproxy inbound at a foreign address carries what
// is sent there on to the host that has it, at the port that a map names, and
// refuses what would come back to itself.
func TestForeignTProxy(t *testing.T) {
	t.Parallel()
	hosts := map[string]string{"-4": "222.173.190.239", "-6": "2001:db8:dead:beef::cafe"}
	g := startGateway(t, setup{divert: ownedByHand, flags: []string{"--map=51966=50080", forwardTimeout},
		listen: []string{"--tproxy=222.173.190.239:51966", "--tproxy=[2001:db8:dead:beef::cafe]:51966", "--tproxy=222.173.190.239:51967"}})
	g.shared = writeBackFDs
	for family, host := range hosts {
		run(t, g.Server, "ip", family, "route", "add", "local", host, "dev", "lo")
		at := netip.MustParseAddr(host)
		answer(t, g.Server, netip.AddrPortFrom(at, mappedPort))
		g.reach(t, g.Client, netip.AddrPortFrom(at, 51966))
	}
	if c, err := inClient(g, netip.MustParseAddrPort("222.173.190.239:51967")); err == nil {
		if err := exchange(c, "round and round"); err == nil {
			t.Error("a listener was reached by itself")
		}
		c.Close()
	}
	g.untilCounter(t, "refused_to_listener", 1)
}

// TestForwardAnyIP asserts that a forward at an address which a local route gives
// the machine needs no rule.
func TestForwardAnyIP(t *testing.T) {
	t.Parallel()
	g := startForwards(t, setup{divert: func(l *lab.Lab) error {
		return errors.Join(l.Gateway.Run(t.Context(), "ip", "route", "add", "local", "203.0.113.9", "dev", "lo"),
			l.Gateway.Run(t.Context(), "ip", "-6", "route", "add", "local", "2001:db8:1::9", "dev", "lo"))
	}}, "203.0.113.9:53=10.77.2.2:8000", "[2001:db8:1::9]:53=10.77.2.2:8000")
	answer(t, g.Server, netip.MustParseAddrPort("10.77.2.2:8000"))
	g.reach(t, g.Client, netip.MustParseAddrPort("203.0.113.9:53"))
	g.reach(t, g.Client, netip.MustParseAddrPort("[2001:db8:1::9]:53"))
}
