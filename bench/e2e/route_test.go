//go:build linux

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/bench/lab"
)

// object is a piece of a configuration file.
type object = map[string]any

// routed is a gateway whose configuration says where flows go.
type routed struct {
	*gateway
	path string
}

// startRoutes runs a sluice with the ordinary inbounds, and more of a configuration.
func startRoutes(t *testing.T, s setup, more object) routed {
	t.Helper()
	r := routed{path: filepath.Join(t.TempDir(), "sluice.json")}
	r.write(t, more)
	s.listen = []string{"--config=" + r.path}
	r.gateway = startGateway(t, s)
	r.shared = writeBackFDs
	return r
}

func (r routed) write(t *testing.T, more object) {
	t.Helper()
	config := object{
		"inbounds": []object{{"type": "redirect", "tag": "redirect-in", "listen_port": redirectPort},
			{"type": "tproxy", "tag": "tproxy-in", "listen_port": tproxyPort}},
		"udp_timeout": "2s",
	}
	maps.Copy(config, more)
	text, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(r.path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// reload has sluice read what it is configured by once more.
func (r routed) reload(t *testing.T) {
	t.Helper()
	before := r.log.Len()
	r.signal(t, syscall.SIGHUP)
	untilWithin(t, 2*patience, "sluice has reloaded", func() bool {
		return len(r.log.since(before, func(e entry) bool { return strings.HasPrefix(e.text("message"), "reloaded") })) > 0
	})
}

// through is an outbound with the n-th proxy as its server.
func through(n int, kind string, more object) object {
	o := object{"type": kind, "tag": fmt.Sprintf("p%d", n), "server": "10.77.2.2", "server_port": proxyPort(n)}
	maps.Copy(o, more)
	return o
}

// Ways of a flow that are no proxy's.
const (
	wentDirect    = "direct"
	wentForwarded = "forwarded"
	wentReset     = "reset"   // TCP by RST, UDP by ICMP's port unreachable
	wentSilent    = "silence" // nothing came for a while
)

// quiet is how long a flow hears nothing before it counts as silence.
const quiet = 300 * time.Millisecond

// took asks a server that tells peers (tellPeers), and finds out which way that went.
func (g *gateway) took(network string, from netip.Addr, to netip.AddrPort, wait time.Duration) string {
	var answer string
	err := g.Client.Do(func() (err error) {
		local := netip.AddrPortFrom(from, 0)
		d := net.Dialer{Timeout: wait, LocalAddr: net.TCPAddrFromAddrPort(local)}
		if network == "udp" {
			d.LocalAddr = net.UDPAddrFromAddrPort(local)
		}
		c, err := d.Dial(network, to.String())
		if err != nil {
			return err
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(wait))
		if _, err := c.Write([]byte("?")); err != nil {
			return err
		}
		b := make([]byte, 64)
		n, err := c.Read(b)
		answer = string(b[:n])
		return err
	})
	switch {
	case errors.Is(err, unix.ECONNRESET), errors.Is(err, unix.ECONNREFUSED):
		return wentReset
	case errors.Is(err, os.ErrDeadlineExceeded):
		return wentSilent
	case err != nil:
		return err.Error()
	}
	return wayOf(answer)
}

// wayOf names the way of a flow by whom the server sees: a proxy by the number that
// its own address has.
func wayOf(peer string) string {
	at, err := netip.ParseAddrPort(peer)
	if err != nil {
		return fmt.Sprintf("%q", peer)
	}
	addr := at.Addr().Unmap()
	for n := range 20 {
		if addr == netip.MustParseAddr(fmt.Sprintf("198.18.1.%d", n)) || addr == netip.MustParseAddr(fmt.Sprintf("2001:2::1:%d", n)) {
			return fmt.Sprintf("p%d", n)
		}
	}
	for _, w := range udpWays() {
		switch {
		case addr == w.seen():
			return wentDirect
		case addr == w.client():
			return wentForwarded
		}
	}
	return addr.String()
}

// wantWay asserts which way a flow takes.
func (g *gateway) wantWay(t *testing.T, network string, from netip.Addr, to netip.AddrPort, want string) {
	t.Helper()
	wait := patience
	if want == wentSilent {
		wait = quiet
	}
	if got := g.took(network, from, to, wait); got != want {
		t.Errorf("%s from %v to %v: %s, want %s", network, from, to, got, want)
	}
}

// routeRow is one flow of TestRoutes.
type routeRow struct {
	name    string
	v4, v6  string // destination
	port    int    // of the way
	client  [2]string
	want    string
	wantUDP string // "": want
	wantTo  string // of the way by REDIRECT; "": want
}

// TestRoutes asserts for each kind of rule which flows it takes, by all ways.
func TestRoutes(t *testing.T) {
	t.Parallel()
	nets := func(n int) []string {
		return []string{fmt.Sprintf("198.18.%d.0/24", n), fmt.Sprintf("2001:2::%x:0/112", n)}
	}
	others := [2]string{"10.78.5.1", "fd78::5:1"}
	config := object{
		"connect_timeout": "2s",
		"outbounds": []object{{"type": "direct", "tag": "direct"}, {"type": "block", "tag": "block"},
			through(1, "socks", nil), through(2, "socks", nil), through(3, "socks", nil), through(4, "socks", nil), through(5, "http", nil)},
		"route": object{"final": "direct", "rules": []object{
			{"ip_cidr": nets(10), "outbound": "p1"},
			{"ip_cidr": "198.18.10.128/25", "outbound": "p2"}, // never: it comes second
			{"source_ip_cidr": []string{"10.78.5.0/24", "fd78::5:0/112"}, "outbound": "p2"},
			{"port_range": []string{"20002:20003", "21002:21003"}, "outbound": "p3"},
			{"network": "udp", "ip_cidr": nets(11), "outbound": "p2"},
			{"network": "tcp", "ip_cidr": nets(11), "outbound": "p5"},
			{"type": "logical", "mode": "and", "rules": []object{{"ip_cidr": nets(12)}, {"port": []int{20001, 21001}}}, "outbound": "p1"},
			{"type": "logical", "mode": "or", "invert": true, "rules": []object{{"ip_cidr": []string{"198.18.0.0/15"}}, {"ip_cidr": "2001:2::/48"}},
				"outbound": "p4"},
			{"inbound": "redirect-in", "ip_cidr": nets(13), "outbound": "p1"},
			{"ip_cidr": nets(14), "action": "reject"},
			{"ip_cidr": nets(15), "action": "reject", "method": "drop"},
			{"ip_cidr": nets(16), "outbound": "block"},
			{"ip_cidr": nets(17), "port": []int{20001, 21001}, "override_port": 8000, "outbound": "p1"},
			{"ip_cidr": nets(17), "override_port": 8000, "action": "route"},
			{"ip_cidr": nets(18), "port": []int{20001, 21001}, "invert": true, "outbound": "p2"}, // all but these
		}},
	}
	g := startRoutes(t, setup{}, config)
	for n := 1; n <= 4; n++ {
		g.startProxy(t, n, manner{})
	}
	g.startProxy(t, 5, manner{http: true})
	for _, r := range []routeRow{
		{name: "prefix", v4: "198.18.10.1", v6: "2001:2::a:1", want: "p1"},
		{name: "first wins", v4: "198.18.10.129", v6: "2001:2::a:1", want: "p1"},
		{name: "source", v4: "198.18.30.1", v6: "2001:2::30:1", client: others, want: "p2"},
		{name: "port range", v4: "198.18.30.1", v6: "2001:2::30:1", port: 3, want: "p3"},
		{name: "network", v4: "198.18.11.1", v6: "2001:2::b:1", want: "p5", wantUDP: "p2"},
		{name: "and", v4: "198.18.12.1", v6: "2001:2::c:1", port: 1, want: "p1"},
		{name: "not and", v4: "198.18.12.1", v6: "2001:2::c:1", port: 4, want: "p2"},
		{name: "neither", v4: "10.77.2.2", v6: "fd77:2::2", want: "p4"},
		{name: "inbound", v4: "198.18.13.1", v6: "2001:2::d:1", want: "p2", wantTo: "p1"},
		{name: "reject", v4: "198.18.14.1", v6: "2001:2::e:1", want: wentReset},
		{name: "drop", v4: "198.18.15.1", v6: "2001:2::f:1", want: wentSilent},
		{name: "block", v4: "198.18.16.1", v6: "2001:2::10:1", want: wentReset},
		{name: "other port", v4: "198.18.17.1", v6: "2001:2::11:1", port: 1, want: "p1"},
		{name: "other port of final", v4: "198.18.17.1", v6: "2001:2::11:1", port: 4, want: wentDirect},
		{name: "not inverted", v4: "198.18.18.1", v6: "2001:2::12:1", port: 1, want: wentDirect},
		{name: "inverted", v4: "198.18.18.1", v6: "2001:2::12:1", port: 4, want: "p2"},
	} {
		t.Run(r.name, func(t *testing.T) { g.wantRow(t, r) })
	}
	if c := g.counters(t); c.number("refused_blocked") == 0 {
		t.Errorf("no refused_blocked in %v", c)
	}
}

// wantRow asserts a row by all ways, and by UDP where they carry it.
func (r routed) wantRow(t *testing.T, row routeRow) {
	served := map[netip.AddrPort]bool{}
	for _, w := range ways() {
		to := netip.AddrPortFrom(w.pick(row.v4, row.v6), w.port(row.port))
		client := w.client()
		if row.client[0] != "" {
			client = w.pick(row.client[0], row.client[1])
		}
		for _, network := range []string{"tcp", "udp"} {
			want := row.want
			switch {
			case network == "udp" && !w.tproxy:
				continue
			case network == "udp" && row.wantUDP != "":
				want = row.wantUDP
			case !w.tproxy && row.wantTo != "":
				want = row.wantTo
			}
			server := to
			if row.v4 == "198.18.17.1" {
				server = netip.AddrPortFrom(to.Addr(), 8000) // what override_port says
			}
			if !served[server] {
				tellPeers(t, r.Server, server)
				served[server] = true
			}
			r.wantWay(t, network, client, to, want)
			if w.tproxy != w.v6 {
				r.wantExplained(t, w, network, client, to, want)
			}
		}
	}
}

// wantExplained asserts that `sluice route explain` says which way a flow takes.
func (r routed) wantExplained(t *testing.T, w way, network string, client netip.Addr, to netip.AddrPort, want string) {
	t.Helper()
	inbound := map[bool]string{true: "tproxy-in", false: "redirect-in"}[w.tproxy]
	out, err := exec.Command(os.Getenv(binaryEnv), "route", "explain", client.String(), to.String(), "--json",
		"--network="+network, "--inbound="+inbound, "--config="+r.path).Output()
	var said struct {
		Rule, Way string
		Unknown   bool `json:"needs_name"`
	}
	if err == nil {
		err = json.Unmarshal(out, &said)
	}
	phrase := map[string]string{wentReset: "refuse", wentSilent: "never answered"}[want]
	if phrase == "" {
		phrase = "outbound " + want
	}
	if err != nil || said.Unknown || !strings.Contains(said.Way, phrase) {
		t.Errorf("explained as %+v, %v, want %q", said, err, phrase)
	}
}

// TestCheckRoutes asserts that `sluice check` names the rule that another takes all
// from, a list's bad line, and a key of sing-box's that there is not.
func TestCheckRoutes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sluice.json")
	r := routed{path: path}
	list := filepath.Join(filepath.Dir(path), "far.list")
	check := func(route object) string {
		t.Helper()
		r.write(t, object{"outbounds": []object{{"type": "direct", "tag": "direct"}, through(1, "socks", nil)}, "route": route})
		out, _ := exec.Command(os.Getenv(binaryEnv), "check", path).CombinedOutput()
		return string(out)
	}
	writeList(t, list, 0, "198.18.0.0/15")
	sets := []object{{"type": "local", "tag": "far", "format": "list", "path": "far.list"}}
	for _, c := range []struct {
		route object
		want  []string
	}{
		{object{"rule_set": sets, "rules": []object{{"rule_set": "far", "outbound": "p1"}, {"ip_cidr": "198.18.7.0/24", "port": 80, "outbound": "direct"}}},
			[]string{": ok", "route.rules[1] can never match", "route.rules[0]"}},
		{object{"rules": []object{{"ip_cidr": "198.18.7.0/24", "port": 80, "outbound": "p1"}, {"ip_cidr": "198.18.0.0/15", "outbound": "direct"}}},
			[]string{": ok"}},
		{object{"rules": []object{{"geoip": "private", "outbound": "p1"}}}, []string{"sluice.json:", "geoip"}},
		{object{"rules": []object{{"ip_cidr": "198.18.7.0/33", "outbound": "p1"}}}, []string{"sluice.json:", "route.rules[0].ip_cidr"}},
		{object{"rules": []object{{"port": 80, "outbound": "nobody"}}}, []string{"nobody"}},
	} {
		out := check(c.route)
		for _, want := range c.want {
			if !strings.Contains(out, want) {
				t.Errorf("%v: no %q in %q", c.route, want, out)
			}
		}
		if len(c.want) == 1 && c.want[0] == ": ok" && strings.Contains(out, "never") {
			t.Errorf("%v: %q", c.route, out)
		}
	}
	writeList(t, list, 0, "198.18.0.0/15", "http://example.org/")
	if out := check(object{"rule_set": sets, "rules": []object{{"rule_set": "far", "outbound": "p1"}}}); !strings.Contains(out, "far.list:3") {
		t.Errorf("a bad line: %q", out)
	}
}

// TestRouteOfMAC asserts that a rule knows the client of a MAC address, in both
// families, and takes no other, nor one that is behind another router.
func TestRouteOfMAC(t *testing.T) {
	t.Parallel()
	g := startRoutes(t, setup{}, object{})
	g.startProxy(t, 1, manner{})
	out, err := g.Client.Command(t.Context(), "ip", "-o", "link", "show", "dev", lab.LAN).Output()
	_, mac, found := strings.Cut(string(out), "link/ether ")
	if err != nil || !found {
		t.Fatalf("%v: %q", err, out)
	}
	mac, _, _ = strings.Cut(mac, " ")
	g.write(t, object{"outbounds": []object{{"type": "direct", "tag": "direct"}, through(1, "socks", nil), through(2, "socks", nil)},
		"route": object{"rules": []object{{"source_mac_address": "02:00:00:00:00:01", "outbound": "p2"}, {"source_mac_address": mac, "outbound": "p1"}}}})
	g.reload(t)
	for _, w := range ways() {
		tellPeers(t, g.Server, w.dest(0))
		g.wantWay(t, "tcp", w.client(), w.dest(0), "p1")
		g.wantWay(t, "tcp", w.normal(), w.dest(0), wentDirect)
	}
}
