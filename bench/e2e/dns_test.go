//go:build linux

package e2e

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestDNS asks a real DNS server by dig, which takes a reply only from the
// address that it asked.
func TestDNS(t *testing.T) {
	t.Parallel()
	dig, dnsmasq := needProgram(t, "dig", "bind9-dnsutils"), needProgram(t, "dnsmasq", "dnsmasq-base")
	g := startGateway(t, setup{flags: []string{"--udp-timeout=3s"}})
	g.shared = writeBackFDs
	long := strings.Repeat("long ", 40)
	for _, port := range []uint16{53, redirectFirst} {
		args := []string{"--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--user=root",
			"--pid-file=", "--log-facility=-", "--port=" + strconv.Itoa(int(port)),
			"--host-record=a.test,192.0.2.7,2001:db8::7"}
		for i := range 30 {
			args = append(args, fmt.Sprintf("--txt-record=long.test,%d %s", i, long))
		}
		g.serve(t, []uint16{port}, dnsmasq, args...)
	}
	ask := func(t *testing.T, server netip.AddrPort, flags ...string) string {
		args := append([]string{"@" + server.Addr().String(), "-p", strconv.Itoa(int(server.Port())),
			"+short", "+time=3", "+tries=1"}, flags...)
		return strings.TrimSpace(g.runClient(t, 10*time.Second, dig, args...))
	}
	overWays(t, ways(), func(t *testing.T, w way) {
		for _, host := range []netip.Addr{w.server(), w.pick("198.18.0.53", "2001:2::53")} {
			port := w.port(0)
			if w.tproxy {
				port = 53
			}
			at := netip.AddrPortFrom(host, port)
			for _, transport := range []string{"+tcp", "+notcp"} {
				if transport == "+notcp" && !w.tproxy || transport == "+tcp" && host != w.server() {
					continue // REDIRECT carries no UDP; dnsmasq takes TCP only to an interface's address
				}
				if got := ask(t, at, transport, "a.test", "A"); got != "192.0.2.7" {
					t.Errorf("%v %s A: %q", at, transport, got)
				}
				if got := ask(t, at, transport, "a.test", "AAAA"); got != "2001:db8::7" {
					t.Errorf("%v %s AAAA: %q", at, transport, got)
				}
				if host != w.server() {
					continue
				}
				if got := ask(t, at, transport, "long.test", "TXT"); strings.Count(got, long) != 30 {
					t.Errorf("%v %s: %d bytes of long records", at, transport, len(got)) // by UDP a truncated answer, then TCP
				}
			}
		}
	})
}
