//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// nginxWitness tells whom nginx sees, and serves a file.
const nginxWitness = `
daemon off; master_process off; pid %[1]s/pid; error_log stderr warn;
events { worker_connections 512; }
http {
  log_format ends "$remote_addr $remote_port $uri"; access_log %[1]s/access ends;
  client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
  server {
    listen %[2]d; listen [::]:%[2]d;
    location / { return 200 "$remote_addr $remote_port\n"; }
    location /files/ { alias %[1]s/; }
  }
}`

// serveWeb runs nginx on a port of the server, with a file "noise".
func (g *gateway) serveWeb(t *testing.T, nginx string, port uint16, file string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	conf := filepath.Join(dir, "nginx.conf")
	writeFile(t, conf, fmt.Sprintf(nginxWitness, dir, port))
	writeFile(t, filepath.Join(dir, "noise"), file)
	g.serve(t, []uint16{port}, nginx, "-c", conf)
	return dir
}

// TestSourceCurl asks a real web server, which answers and logs whom it sees.
func TestSourceCurl(t *testing.T) {
	t.Parallel()
	curl, nginx := needProgram(t, "curl", "curl"), needProgram(t, "nginx", "nginx-light")
	file := string(payload(5 << 20))
	overSources(t, sources(), func(t *testing.T, s source) {
		g := startSource(t, s)
		dir := g.serveWeb(t, nginx, tproxyFirst, file)
		overWays(t, udpWays(), func(t *testing.T, w way) {
			for _, host := range []netip.Addr{w.server(), w.pick("198.18.7.7", "2001:2::77")} {
				url := "http://" + netip.AddrPortFrom(host, w.port(0)).String()
				ends := g.runClient(t, patience, curl, "--silent", "--show-error", "--noproxy", "*",
					"--write-out", "%{local_ip} %{local_port} %{num_connects}\n", url+"/a", url+"/b")
				lines := strings.Split(strings.TrimSpace(ends), "\n")
				if len(lines) != 4 || !strings.HasSuffix(lines[3], " 0") || lines[0] != lines[2] {
					t.Fatalf("%v: %q", url, lines) // who is seen, who asked, and the same on the same connection
				}
				if err := s.checkTCP(w, endOf(t, lines[1]), endOf(t, lines[0])); err != nil {
					t.Errorf("%v: %v", url, err)
				}
				if got := g.runClient(t, patience, curl, "--silent", "--show-error", "--noproxy", "*", url+"/files/noise"); got != file {
					t.Errorf("%v: %d bytes of the file, want %d unchanged", url, len(got), len(file))
				}
			}
		})
		log, err := os.ReadFile(filepath.Join(dir, "access"))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(log)), "\n")
		for _, line := range lines {
			seen := endOf(t, line)
			w := way{tproxy: true, v6: seen.Addr().Is6()}
			if seen.Addr() != s.of(w, w.client()) {
				t.Errorf("nginx logged %q", line)
			}
		}
		if len(lines) != 2*2*3 {
			t.Errorf("nginx logged %d requests, want 12", len(lines))
		}
	})
}

// endOf reads an address and a port, the first two words of a line.
func endOf(t *testing.T, line string) netip.AddrPort {
	t.Helper()
	words := strings.Fields(line)
	if len(words) < 2 {
		t.Fatalf("%q: want an address and a port", line)
	}
	addr, err := netip.ParseAddr(words[0])
	port, bad := strconv.ParseUint(words[1], 10, 16)
	if err != nil || bad != nil {
		t.Fatalf("%q: %v, %v", line, err, bad)
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(port))
}

// TestSourceDNS asks a real DNS server, which logs whom it sees, from a port that
// dig binds.
func TestSourceDNS(t *testing.T) {
	t.Parallel()
	dig, dnsmasq := needProgram(t, "dig", "bind9-dnsutils"), needProgram(t, "dnsmasq", "dnsmasq-base")
	overSources(t, sources(), func(t *testing.T, s source) {
		g := startSource(t, s)
		log := filepath.Join(t.TempDir(), "log")
		g.serve(t, []uint16{53}, dnsmasq, "--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--user=root",
			"--pid-file=", "--port=53", "--host-record=a.test,192.0.2.7,2001:db8::7", "--log-queries=extra", "--log-facility="+log)
		port := uint16(41000)
		overWays(t, udpWays(), func(t *testing.T, w way) {
			for _, transport := range []string{"+notcp", "+tcp"} {
				port++
				client := netip.AddrPortFrom(w.client(), port)
				out := g.runClient(t, patience, dig, "@"+w.server().String(), "-b", fmt.Sprintf("%v#%d", client.Addr(), port),
					"+short", "+time=3", "+tries=1", transport, "a.test", "AAAA")
				if strings.TrimSpace(out) != "2001:db8::7" {
					t.Errorf("%v %s: %q", w, transport, out)
				}
				seen := lastQuery(t, log)
				check := s.checkUDP
				if transport == "+tcp" {
					check = s.checkTCP
				}
				if err := check(w, client, seen); err != nil {
					t.Errorf("%s: %v", transport, err)
				}
			}
		})
	})
}

// lastQuery is whom dnsmasq had its last query from: "… 3 10.77.1.2/41001 query[AAAA] …".
func lastQuery(t *testing.T, log string) (from netip.AddrPort) {
	t.Helper()
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		for i := 1; i < len(words); i++ {
			if strings.HasPrefix(words[i], "query[") {
				from = endOf(t, strings.Replace(words[i-1], "/", " ", 1))
			}
		}
	}
	return from
}

// TestSourceIPerf moves streams and datagrams both ways; the server says whom it
// accepted.
func TestSourceIPerf(t *testing.T) {
	t.Parallel()
	iperf := needProgram(t, "iperf3", "iperf3")
	overSources(t, sources(), func(t *testing.T, s source) {
		g := startSourceWith(t, s, setup{plain: true})
		port := 2
		overWays(t, udpWays(), func(t *testing.T, w way) {
			for name, flags := range map[string][]string{
				"tcp": {"--bytes", "100M"}, "tcp reverse": {"--bytes", "100M", "--reverse"}, "tcp parallel": {"--bytes", "100M", "--parallel", "4"},
				// iperf3 fails where it gets less than --window: twice the default of net.core.rmem_max and wmem_max is 416 KiB.
				"udp":         {"--udp", "--bitrate", "10M", "--window", "400K", "--time", "1"},
				"udp reverse": {"--udp", "--bitrate", "10M", "--window", "400K", "--time", "1", "--reverse"},
			} {
				at := strconv.Itoa(int(w.port(port)))
				port++
				g.serve(t, []uint16{tproxyFirst + uint16(port) - 1}, iperf, "--server", "--port", at)
				out := g.runClient(t, 2*patience, iperf, append([]string{"--client", w.server().String(), "--port", at, "--json",
					"--connect-timeout", "3000", "--get-server-output"}, flags...)...)
				checkIPerf(t, s, w, name, out)
			}
		})
	})
}

func checkIPerf(t *testing.T, s source, w way, name, out string) {
	t.Helper()
	var r struct {
		iperfReport
		Output string `json:"server_output_text"`
		Start  struct {
			Connected []struct {
				Host string `json:"local_host"`
				Port uint16 `json:"local_port"`
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.Error != "" {
		t.Fatalf("%s: %v %s", name, err, r.Error)
	}
	if want := fmt.Sprintf("Accepted connection from %v,", s.of(w, w.client())); !strings.Contains(r.Output, want) {
		t.Errorf("%s: no %q in %s", name, want, r.Output)
	}
	switch strings.HasPrefix(name, "udp") {
	case true:
		if r.End.Sum.Packets < 500 || r.End.Sum.LostPercent > 5 {
			t.Errorf("%s: %+v", name, r.End.Sum)
		}
		if s == clientSource || s == addressSource {
			for _, c := range r.Start.Connected {
				if want := fmt.Sprintf("connected to %s port %d", c.Host, c.Port); !strings.Contains(r.Output, want) {
					t.Errorf("%s: no %q in %s", name, want, r.Output)
				}
			}
		}
	case false:
		if r.End.Received.Bytes < leastReceived {
			t.Errorf("%s: %+v", name, r.End)
		}
	}
}

// haproxyBeside is HAProxy as a reverse proxy of its own on the same gateway, which
// shows the client too, with the rules that it needs for itself.
const (
	haproxyBeside = `global
    maxconn 100
defaults
    mode tcp
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend in
    bind 10.77.1.1:8080
    bind fd77:1::1:8080
    use_backend out6 if { src fd77:1::/64 }
    default_backend out4
backend out4
    source 0.0.0.0 usesrc clientip
    server s 10.77.2.2:21000
backend out6
    source [::] usesrc clientip
    server s [fd77:2::2]:21000
`
	haproxyRules = `table inet haproxy {
	chain replies {
		type filter hook prerouting priority -160
		meta l4proto tcp iifname wan socket transparent 1 meta mark set 0x100 accept
	}
}
`
)

// TestSourceBesideHAProxy has HAProxy on the same gateway show the client to the
// same server, by rules of its own: both do, and neither takes the other's replies.
func TestSourceBesideHAProxy(t *testing.T) {
	t.Parallel()
	haproxy, curl, nginx := needProgram(t, "haproxy", "haproxy"), needProgram(t, "curl", "curl"), needProgram(t, "nginx", "nginx-light")
	file := string(payload(5 << 20))
	overSources(t, sources(), func(t *testing.T, s source) {
		g := startSource(t, s)
		g.serveWeb(t, nginx, tproxyFirst, file)
		g.load(t, haproxyRules)
		for _, family := range []string{"-4", "-6"} {
			run(t, g.Gateway, "ip", family, "rule", "add", "fwmark", "0x100/0x100", "lookup", "200", "priority", "110")
			run(t, g.Gateway, "ip", family, "route", "add", "local", "default", "dev", "lo", "table", "200")
		}
		conf := filepath.Join(t.TempDir(), "haproxy.cfg")
		writeFile(t, conf, haproxyBeside)
		serveIn(t, g.Gateway, []uint16{8080}, haproxy, "-db", "-q", "-f", conf)
		overWays(t, udpWays(), func(t *testing.T, w way) {
			for range 3 {
				for to, shown := range map[netip.AddrPort]netip.Addr{
					w.dest(0):                             s.of(w, w.client()),
					netip.AddrPortFrom(w.gateway(), 8080): w.client(),
				} {
					url := "http://" + to.String()
					out := g.runClient(t, patience, curl, "--silent", "--show-error", "--noproxy", "*", url)
					if seen := endOf(t, out); seen.Addr() != shown {
						t.Errorf("%s: the server sees %v, want %v", url, seen, shown)
					}
					if got := g.runClient(t, patience, curl, "--silent", "--show-error", "--noproxy", "*", url+"/files/noise"); got != file {
						t.Errorf("%s: %d bytes of the file, want %d unchanged", url, len(got), len(file))
					}
				}
			}
		})
	})
}
