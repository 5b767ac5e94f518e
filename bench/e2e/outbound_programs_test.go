//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// danted serves SOCKS5 with datagrams to whoever comes, from any address.
const danteConf = `
logoutput: stderr
internal: 10.77.2.2 port = %d
external: 10.77.2.2
external: fd77:2::2
socksmethod: none
clientmethod: none
user.privileged: root
user.unprivileged: nobody
client pass { from: 0/0 to: 0/0 }
client pass { from: ::/0 to: ::/0 }
socks pass { from: 0/0 to: 0/0 command: bind connect udpassociate bindreply udpreply }
socks pass { from: 0/0 to: ::/0 command: bind connect udpassociate bindreply udpreply }
socks pass { from: ::/0 to: 0/0 command: bind connect udpassociate bindreply udpreply }
`

// tinyproxyConf is an HTTP proxy that CONNECTs to any port.
const tinyproxyConf = `
Port %d
Listen 10.77.2.2
Timeout 60
MaxClients 100
%s
`

// theirs are the proxies of TestProxyPrograms, in the order of the ways' ports.
const (
	byMicrosocks = iota
	byMicrosocksAsking
	byTinyproxy
	byTinyproxyAsking
	byDante
	theirs
	wrongly = theirs // a password that is wrong
)

// iperfBy are the proxies that iperf3 goes through, from the way's port iperfFirst on.
var iperfBy = []int{byMicrosocks, byTinyproxy, byDante}

const iperfFirst = 8

// toTheirs gives each proxy a port of the ways.
func toTheirs() object {
	outs := []object{
		through(byMicrosocks, "socks", nil),
		through(byMicrosocksAsking, "socks", object{"username": "someone", "password": "pass:word"}),
		through(byTinyproxy, "http", nil),
		through(byTinyproxyAsking, "http", object{"username": "someone", "password": "password"}),
		through(byDante, "socks", nil),
		{"type": "socks", "tag": "wrong", "server": "10.77.2.2", "server_port": proxyPort(byMicrosocksAsking), "username": "someone", "password": "wrong"},
		{"type": "direct", "tag": "direct"},
	}
	var rules []object
	for i := range theirs {
		rules = append(rules, object{"port": []int{20000 + i, 21000 + i}, "outbound": fmt.Sprintf("p%d", i)})
	}
	for i, by := range iperfBy {
		rules = append(rules, object{"port": []int{20000 + iperfFirst + i, 21000 + iperfFirst + i}, "outbound": fmt.Sprintf("p%d", by)})
	}
	return object{"outbounds": outs, "route": object{"final": "direct", "rules": append(rules,
		object{"port": []int{20000 + wrongly, 21000 + wrongly}, "outbound": "wrong"})}}
}

// startTheirs runs the programs in the server.
func (g *gateway) startTheirs(t *testing.T) {
	t.Helper()
	microsocks, dante, tinyproxy := needProgram(t, "microsocks", "microsocks"), needProgram(t, "danted", "dante-server"), needProgram(t, "tinyproxy", "tinyproxy")
	at := func(n int) (text string, ports []uint16) {
		return strconv.Itoa(int(proxyPort(n))), []uint16{proxyPort(n)}
	}
	port, ports := at(byMicrosocks)
	g.serve(t, ports, microsocks, "-i", "10.77.2.2", "-p", port)
	port, ports = at(byMicrosocksAsking)
	g.serve(t, ports, microsocks, "-i", "10.77.2.2", "-p", port, "-u", "someone", "-P", "pass:word")
	dir := t.TempDir()
	for i, more := range map[int]string{byTinyproxy: "", byTinyproxyAsking: "BasicAuth someone password"} {
		conf := filepath.Join(dir, fmt.Sprintf("tinyproxy%d.conf", i))
		writeFile(t, conf, fmt.Sprintf(tinyproxyConf, proxyPort(i), more))
		g.serve(t, []uint16{proxyPort(i)}, tinyproxy, "-d", "-c", conf)
	}
	conf := filepath.Join(dir, "danted.conf")
	writeFile(t, conf, fmt.Sprintf(danteConf, proxyPort(byDante)))
	g.serve(t, []uint16{proxyPort(byDante)}, dante, "-f", conf, "-p", filepath.Join(dir, "danted.pid"))
}

// TestProxyPrograms sends what real clients ask of real servers through real
// proxies, with and without passwords.
func TestProxyPrograms(t *testing.T) {
	t.Parallel()
	curl, nginx, iperf := needProgram(t, "curl", "curl"), needProgram(t, "nginx", "nginx-light"), needProgram(t, "iperf3", "iperf3")
	g := startRoutes(t, setup{plain: true}, toTheirs())
	g.startTheirs(t)
	file := string(payload(5 << 20))
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "noise"), file)
	conf := strings.Replace(fmt.Sprintf(nginxConf, dir), "listen 20000; listen [::]:20000; listen 21000; listen [::]:21000;", listens(), 1)
	writeFile(t, filepath.Join(dir, "nginx.conf"), conf)
	g.serve(t, []uint16{redirectFirst, tproxyFirst}, nginx, "-c", filepath.Join(dir, "nginx.conf"))
	overWays(t, ways(), func(t *testing.T, w way) {
		for i := range theirs {
			dest := netip.AddrPortFrom(w.pick("198.18.7.7", "2001:2::77"), w.port(i))
			url := "http://" + dest.String()
			out := g.runClient(t, patience, curl, "--silent", "--show-error", "--noproxy", "*", url+"/a", url+"/b")
			words := strings.Fields(out)
			if len(words) != 4 || wayOf(net.JoinHostPort(words[0], "1")) == wentDirect || words[1] != fmt.Sprintf("%v:%d", dest.Addr(), dest.Port()) {
				t.Errorf("%v by p%d: %q", dest, i, out)
			}
			if got := g.runClient(t, patience, curl, "--silent", "--show-error", "--noproxy", "*", url+"/files/noise"); got != file {
				t.Errorf("%v by p%d: %d bytes of the file, want %d unchanged", dest, i, len(got), len(file))
			}
		}
		g.wantWay(t, "tcp", w.client(), w.dest(wrongly), wentReset)
	})
	if c := g.counters(t); c.number("failed_proxy_auth") != 4 || c.number("failed_proxy") != 0 || c.number("fallbacks") != 0 {
		t.Errorf("counters: %v", c)
	}
	for _, w := range ways()[1:3] { // one of each family and kind
		for _, flags := range [][]string{nil, {"--reverse"}} {
			for i := range iperfBy {
				g.iperfBy(t, iperf, w, iperfFirst+i, append(flags, "--bytes", "50M")...)
			}
		}
	}
}

func listens() string {
	var b strings.Builder
	for i := range theirs {
		fmt.Fprintf(&b, "listen %d; listen [::]:%[1]d; listen %d; listen [::]:%[2]d;\n", 20000+i, 21000+i)
	}
	return b.String()
}

// iperfBy measures through a proxy, with a server of its own.
func (g routed) iperfBy(t *testing.T, iperf string, w way, at int, flags ...string) {
	t.Helper()
	port := w.port(at)
	text := strconv.Itoa(int(port))
	g.serve(t, []uint16{port}, iperf, "--server", "--one-off", "--port", text)
	args := append([]string{"--client", w.server().String(), "--port", text, "--json", "--connect-timeout", "3000"}, flags...)
	var r iperfReport
	if err := json.Unmarshal([]byte(g.runClient(t, 2*patience, iperf, args...)), &r); err != nil || r.Error != "" || r.End.Received.Bytes < leastReceived {
		t.Errorf("%v at %s %v: %v %s %+v", w, text, flags, err, r.Error, r.End)
	}
}

// TestDanteUDP sends datagrams through a real SOCKS5 server: questions to a DNS
// server, QUIC, and sizes up to what a path carries whole.
func TestDanteUDP(t *testing.T) {
	t.Parallel()
	dig, dnsmasq, dante := needProgram(t, "dig", "bind9-dnsutils"), needProgram(t, "dnsmasq", "dnsmasq-base"), needProgram(t, "danted", "dante-server")
	iperf := needProgram(t, "iperf3", "iperf3")
	g := startRoutes(t, setup{}, object{"outbounds": []object{through(byDante, "socks", nil), {"type": "direct", "tag": "direct"}},
		"route": object{"rules": []object{{"network": "udp", "outbound": fmt.Sprintf("p%d", byDante)}}, "final": "direct"}})
	conf := filepath.Join(t.TempDir(), "danted.conf")
	writeFile(t, conf, fmt.Sprintf(danteConf, proxyPort(byDante)))
	g.serve(t, []uint16{proxyPort(byDante)}, dante, "-f", conf, "-p", conf+".pid")
	g.serve(t, []uint16{53}, dnsmasq, "--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--user=root",
		"--pid-file=", "--log-facility=-", "--port=53", "--host-record=a.test,192.0.2.7,2001:db8::7")
	overWays(t, udpWays(), func(t *testing.T, w way) {
		out := g.runClient(t, patience, dig, "@"+w.server().String(), "+short", "+time=3", "+tries=2", "a.test", "AAAA")
		if strings.TrimSpace(out) != "2001:db8::7" {
			t.Errorf("dig: %q", out)
		}
		e := startEcho(t, g.Server, w.dest(2))
		c := g.udpClient(t, w)
		for _, size := range []int{1, 512, 1200, 1400} {
			ask(t, c, w.dest(2), payload(size))
		}
		if got := e.last().Addr().Unmap(); got == w.seen() || got == w.client() {
			t.Errorf("the server sees %v, want the proxy", got)
		}
		q := g.startQUIC(t, w)
		conn := q.dial(t, quicTransport(t, g.udpClient(t, w)), w.dest(0))
		stream, err := conn.OpenStreamSync(q.ctx)
		if err != nil {
			t.Fatal(err)
		}
		q.accept(t)
		if err := quicEcho(stream, 1); err != nil {
			t.Errorf("QUIC: %v", err)
		}
		_ = conn.CloseWithError(0, "")
		for _, flags := range [][]string{nil, {"--reverse"}} {
			r := g.iperf(t, iperf, w, append(flags, "--udp", "--bitrate", "10M", "--window", "400K", "--time", "1")...)
			if r.End.Sum.Packets < 500 || r.End.Sum.LostPercent > 5 {
				t.Errorf("iperf3 %v: %+v", flags, r.End.Sum)
			}
		}
	})
}
