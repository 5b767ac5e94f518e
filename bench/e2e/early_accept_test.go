//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/bench/lab"
)

// TestEarlyAccept holds README to what it says of a connect that succeeds before the
// destination was asked: what the client hears then, and how long it takes.
func TestEarlyAccept(t *testing.T) {
	t.Parallel()
	const connectTimeout = 2 * time.Second
	g := launch(t, lab.For(t, lab.Options{}), setup{
		listen: []string{fmt.Sprintf("--tproxy=:%d", tproxyPort)},
		flags:  []string{"--install-rules", "--iface=" + lab.LAN, "--connect-timeout=" + connectTimeout.String()}})
	g.untilReady(t)
	run(t, g.Server, "nft", "add table inet silent; add chain inet silent in { type filter hook input priority 0; }; add rule inet silent in tcp dport 24001 drop;")
	for _, v6 := range []bool{false, true} {
		server := lab.Server4
		if v6 {
			server = lab.Server6
		}
		for _, c := range []struct {
			what        string
			dest        netip.AddrPort
			least, most time.Duration // until the reset
		}{
			{"closed port", netip.AddrPortFrom(netip.MustParseAddr(server), 24000), 0, time.Second},
			{"silent host", netip.AddrPortFrom(netip.MustParseAddr(server), 24001), connectTimeout - 100*time.Millisecond, 3 * connectTimeout},
		} {
			begun := time.Now()
			connected := inside(t, g.Client, func() (time.Duration, error) { return connectAndRead(c.dest) })
			took := time.Since(begun)
			if connected < 0 {
				t.Logf("%s: the reset came before the connect was looked at", c.what)
			} else if connected > time.Second {
				t.Errorf("%s: connected after %v", c.what, connected)
			}
			if took < c.least || took > c.most {
				t.Errorf("%s: reset after %v, want %v to %v", c.what, took, c.least, c.most)
			}
		}
	}
}

// connectAndRead returns how long a connect took, and waits for the reset. Negative: the
// reset was what the connect met.
func connectAndRead(dest netip.AddrPort) (time.Duration, error) {
	begun := time.Now()
	conn, err := net.DialTimeout("tcp", dest.String(), patience)
	if errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.ECONNREFUSED) {
		return -1, nil
	}
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	connected := time.Since(begun)
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	if _, err = conn.Read(make([]byte, 1)); !errors.Is(err, unix.ECONNRESET) {
		return 0, fmt.Errorf("read: %v, want a reset", err)
	}
	return connected, nil
}

// TestHappyEyeballs has curl reach a name of both families whose IPv6 is dead: it fails
// where sluice has IPv6, and takes IPv4 where that is left to the kernel.
func TestHappyEyeballs(t *testing.T) {
	t.Parallel()
	curl := needProgram(t, "curl", "curl")
	dead := strings.TrimSuffix(lab.Server6, "2") + "99"
	for name, c := range map[string]struct {
		flags []string
		works bool
	}{
		"diverted": {nil, false},
		"excluded": {[]string{"--exclude=::/0"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := launch(t, lab.For(t, lab.Options{}), setup{
				listen: []string{fmt.Sprintf("--tproxy=:%d", tproxyPort)},
				flags:  append([]string{"--install-rules", "--iface=" + lab.LAN, "--connect-timeout=1s"}, c.flags...)})
			g.untilReady(t)
			g.serveNames(t, netip.AddrPortFrom(netip.MustParseAddr(lab.Server4), 24080), nil)
			out, err := g.Client.Command(t.Context(), curl, "--silent", "--show-error", "--max-time", "10", "--noproxy", "*",
				"--resolve", fmt.Sprintf("dual.test:24080:[%s],%s", dead, lab.Server4), "--write-out", "%{remote_ip}", "http://dual.test:24080/").CombinedOutput()
			if works := err == nil && strings.HasSuffix(string(out), lab.Server4); works != c.works {
				t.Errorf("curl works: %v, want %v: %s, %v", works, c.works, out, err)
			}
		})
	}
}
