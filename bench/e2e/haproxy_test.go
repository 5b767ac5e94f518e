//go:build linux

package e2e

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"testing"
	"time"
)

// tellConf has nginx answer with what the header of a connection said, as it
// came, and tellHAProxy has HAProxy do the same.
const tellConf = `
daemon off; master_process off; pid %[1]s/pid; error_log stderr warn;
events { worker_connections 512; }
http {
  access_log off; client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s;
  uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
  server {
    %[2]s
    location / { return 200 "$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_addr $proxy_protocol_server_port\n"; }
  }
}`

const tellHAProxy = `
defaults
  mode http
  timeout client 10s
  timeout server 10s
  timeout connect 10s
frontend tell
  %s
  http-request return status 200 content-type text/plain lf-string "%%[src] %%[src_port] %%[dst] %%[dst_port]\n"
`

// frontConf has HAProxy pass connections on: to the address, with the option of
// a server line.
const frontConf = `
defaults
  mode tcp
  timeout client 10s
  timeout server 10s
  timeout connect 10s
listen front
  bind %v
  server s %v %s
`

// serveTold runs a program in the server namespace that expects a header and
// answers with what it said: nginx at the 0th ports of both kinds of rules,
// HAProxy at the 1st.
func (g *gateway) serveTold(t *testing.T) {
	t.Helper()
	haproxy, nginx := needProgram(t, "haproxy", "haproxy"), needProgram(t, "nginx", "nginx-light")
	dir, listens, binds := t.TempDir(), "", ""
	for _, w := range ways() {
		listens += fmt.Sprintf("listen %v proxy_protocol;\n", w.dest(0))
		binds += fmt.Sprintf("bind %v accept-proxy\n  ", w.dest(1))
	}
	conf, cfg := filepath.Join(dir, "nginx.conf"), filepath.Join(dir, "haproxy.cfg")
	writeFile(t, conf, fmt.Sprintf(tellConf, dir, listens))
	writeFile(t, cfg, fmt.Sprintf(tellHAProxy, binds))
	g.serve(t, []uint16{redirectFirst, tproxyFirst}, nginx, "-c", conf)
	g.serve(t, []uint16{redirectFirst + 1, tproxyFirst + 1}, haproxy, "-db", "-f", cfg)
}

// told is what a server was told, unmapped: an IPv4 address beside an IPv6 one is
// sent as mapped.
type told struct{ source, dest netip.AddrPort }

func (a told) String() string { return fmt.Sprintf("%v to %v", a.source, a.dest) }

// curlFrom asks as a client, and returns what was answered and what ought to be.
func (g *gateway) curlFrom(t *testing.T, client netip.Addr, to, dest netip.AddrPort) (got, want told) {
	t.Helper()
	out := g.runClient(t, 10*time.Second, needProgram(t, "curl", "curl"), "--silent", "--show-error", "--noproxy", "*",
		"--interface", client.String(), "--write-out", "%{local_port}", "http://"+to.String()+"/")
	var addrs [2]string
	var ports [3]uint16
	if n, err := fmt.Sscan(out, &addrs[0], &ports[0], &addrs[1], &ports[1], &ports[2]); err != nil {
		t.Fatalf("%d fields in %q: %v", n, out, err)
	}
	at := func(i int) netip.AddrPort {
		addr, err := netip.ParseAddr(addrs[i])
		if err != nil {
			t.Fatalf("%q: %v", out, err)
		}
		return netip.AddrPortFrom(addr.Unmap(), ports[i])
	}
	return told{at(0), at(1)}, told{netip.AddrPortFrom(client, ports[2]), dest}
}

// TestSendProxyToRealServers asserts that nginx and HAProxy are told who the
// client is and where it wanted to go.
func TestSendProxyToRealServers(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"v1", "v2"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, setup{flags: []string{"--send-proxy=" + version}})
			g.serveTold(t)
			overWays(t, ways(), func(t *testing.T, w way) {
				for i, program := range []string{"nginx", "HAProxy"} {
					if got, want := g.curlFrom(t, w.normal(), w.dest(i), w.dest(i)); got != want {
						t.Errorf("%s was told %v, want %v", program, got, want)
					}
				}
			})
		})
	}
}

// TestHAProxyInFront asserts that the client of an HAProxy which sends headers is
// the client for sluice, and so for nginx and HAProxy behind it, where it
// connected to the one in front; also where the two families meet.
func TestHAProxyInFront(t *testing.T) {
	t.Parallel()
	haproxy := needProgram(t, "haproxy", "haproxy")
	for _, front := range []string{"send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,unique-id"} {
		for _, version := range []string{"v1", "v2"} {
			t.Run(front+" "+version, func(t *testing.T) {
				t.Parallel()
				g := startGateway(t, setup{flags: append([]string{"--send-proxy=" + version}, acceptingFrom...)})
				g.serveTold(t)
				port := uint16(8000)
				for _, w := range ways() {
					for _, near := range []way{{}, {v6: true}} { // the family between the client and HAProxy
						for i := range 2 {
							port++
							bind := netip.AddrPortFrom(near.pick("10.78.0.100", "fd78::100"), port)
							cfg := filepath.Join(t.TempDir(), "haproxy.cfg")
							writeFile(t, cfg, fmt.Sprintf(frontConf, bind, w.dest(i), front))
							serveIn(t, g.Client, []uint16{port}, haproxy, "-db", "-f", cfg)
							if got, want := g.curlFrom(t, near.normal(), bind, bind); got != want {
								t.Errorf("%v, from %v: told %v, want %v", w, near.normal(), got, want)
							}
						}
					}
				}
				if n := g.counters(t).number("conns_accepted"); n != 16 {
					t.Errorf("%d connections, want 16", n)
				}
			})
		}
	}
}
