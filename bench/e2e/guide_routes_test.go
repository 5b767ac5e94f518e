//go:build linux

package e2e

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sluice/bench/lab"
)

// TestGuideRoutes does what README says, with a proxy that has README's address, and
// the lab's interface.
func TestGuideRoutes(t *testing.T) {
	t.Parallel()
	blocks := guide(t, "A home gateway with a list of networks through a proxy")
	dir := t.TempDir()
	asWritten := strings.NewReplacer("/etc/sluice", dir, "lan0", lab.LAN, "sluice check", os.Getenv(binaryEnv)+" check",
		"sluice route", "SLUICE_CONFIG="+dir+"/sluice.json "+os.Getenv(binaryEnv)+" route") // as if it were in /etc
	l := lab.For(t, lab.Options{})
	var running routed
	reach := func(want map[string]string) {
		t.Helper()
		for to, way := range want {
			at := netip.MustParseAddrPort(to)
			from := netip.MustParseAddr(lab.Client4)
			if at.Addr().Is6() {
				from = netip.MustParseAddr(lab.Client6)
			}
			for _, network := range []string{"tcp", "udp"} {
				running.wantWay(t, network, from, at, way)
			}
		}
	}
	for _, block := range blocks {
		block = asWritten.Replace(block)
		last := strings.TrimSpace(block[strings.LastIndexByte(strings.TrimSpace(block), '\n')+1:])
		switch {
		case strings.HasPrefix(last, "sluice run "):
			sh(t, l.Gateway, strings.Replace(block, last, "", 1))
			running = startGuided(t, l, strings.Fields(last)[2:])
			reach(map[string]string{
				"198.51.100.7:8000": "p1", "[2001:db8:100::7]:8000": "p1",
				"203.0.113.7:8000": wentDirect, "[2001:db8:300::7]:8000": wentDirect,
			})
		case strings.HasPrefix(last, "kill -HUP "):
			sh(t, l.Gateway, strings.Replace(block, last, "", 1))
			before := running.log.len()
			running.signal(t, syscall.SIGHUP)
			until(t, "sluice has reloaded", func() bool { return len(running.log.since(before, message("reloaded"))) > 0 })
			reach(map[string]string{"198.51.100.7:8000": "p1", "203.0.113.7:8000": "p1", "[2001:db8:300::7]:8000": wentDirect})
		default:
			sh(t, l.Gateway, block)
		}
	}
	if running.gateway == nil {
		t.Fatal("README runs nothing")
	}
	if c := running.counters(t); c.number("failed_proxy")+c.number("failed_proxy_auth")+c.number("fallbacks") > 0 {
		t.Errorf("counters: %v", c)
	}
}

// startGuided runs sluice as README has it, with the proxy and the servers that it
// tells of.
func startGuided(t *testing.T, l *lab.Lab, args []string) routed {
	t.Helper()
	g := launch(t, l, setup{listen: args, flags: []string{forwardTimeout}})
	until(t, "sluice is ready", func() bool { return g.ended() || len(g.log.since(0, message("ready"))) > 0 })
	g.base, g.shared = g.fds(), writeBackFDs
	t.Cleanup(func() { g.finish(t) })
	sh(t, l.Server, `ip addr add 192.0.2.10/32 dev lo
		for a in 198.51.100.7/32 203.0.113.7/32 2001:db8:100::7/128 2001:db8:300::7/128; do ip addr add $a dev lo nodad; done`)
	for _, host := range []string{"198.51.100.7", "203.0.113.7", "2001:db8:100::7", "2001:db8:300::7"} {
		at := netip.AddrPortFrom(netip.MustParseAddr(host), 8000)
		tellPeers(t, l.Server, at)
		until(t, "an address has its route", func() bool { // IPv6's comes a moment later
			return l.Server.Do(func() error {
				c, err := connect(netip.AddrPort{}, at)
				if err == nil {
					c.Close()
				}
				return err
			}) == nil
		})
	}
	password, err := os.ReadFile(filepath.Join(filepath.Dir(strings.TrimPrefix(args[len(args)-1], "--config=")), "office.password"))
	if err != nil {
		t.Fatal(err)
	}
	p := g.startProxy(t, 1, manner{user: "home", password: strings.TrimSpace(string(password))})
	p.stop()
	p.at = netip.MustParseAddrPort("192.0.2.10:1080")
	p.start(t)
	return routed{gateway: g}
}

// TestGuideRoutesFile asserts that the file which README shows is right, and leads
// flows where README says.
func TestGuideRoutesFile(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Routes and upstreams\n")
	_, file, _ := strings.Cut(section, "```json\n")
	file, _, _ = strings.Cut(file, "```")
	dir := t.TempDir()
	path := filepath.Join(dir, "sluice.json")
	writeFile(t, path, strings.ReplaceAll(file, "/etc/sluice", dir))
	writeFile(t, filepath.Join(dir, "office.password"), "the password\n")
	writeFile(t, filepath.Join(dir, "home.list"), "198.51.100.0/24\n")
	sluice := os.Getenv(binaryEnv)
	if out, err := exec.Command(sluice, "check", path).CombinedOutput(); err != nil || strings.Count(string(out), "\n") != 1 {
		t.Fatalf("%v: %s", err, out)
	}
	for flow, want := range map[string]string{
		"10.0.0.7 192.168.1.1:22": "kernel", "10.0.0.7 198.51.100.7:443": "kernel",
		"10.0.0.7 203.0.113.7:443 --network=udp": "reject", "10.0.0.7 203.0.113.7:443 --domain=www.intra.example": "office",
		"10.0.0.7 203.0.113.7:443 --domain=example.org": "fastest",
	} {
		args := append([]string{"route", "explain", "--config=" + path}, strings.Fields(flow)...)
		out, err := exec.Command(sluice, args...).CombinedOutput()
		_, way, _ := strings.Cut(string(out), "=> ")
		if err != nil || !strings.Contains(way, want) {
			t.Errorf("%s: %v, want %q in\n%s", flow, err, want, out)
		}
	}
}
