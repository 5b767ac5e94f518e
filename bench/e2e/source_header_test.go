//go:build linux

package e2e

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"testing"
)

// Configurations of HAProxy: behind sluice it takes a PROXY header and answers with
// the client that it names, before sluice it writes one.
const (
	haproxyCommon = `global
    maxconn 100
defaults
    timeout connect 5s
    timeout client 30s
    timeout server 30s
`
	haproxyBehind = haproxyCommon + `frontend in
    mode http
    bind 10.77.2.2:21000 accept-proxy
    bind fd77:2::2:21000 accept-proxy
    http-request return status 200 content-type text/plain lf-string "%%[src] %%[src_port]\n"
`
	haproxyBefore = haproxyCommon + `listen in4
    mode tcp
    bind 10.78.0.9:7000
    server s 10.77.1.1:8081 %[1]s
listen in6
    mode tcp
    bind fd78::9:7000
    server s [fd77:1::1]:8081 %[1]s
`
)

// TestSourceHeaderToHAProxy has sluice name its clients to HAProxy in a PROXY
// header, of either version.
func TestSourceHeaderToHAProxy(t *testing.T) {
	t.Parallel()
	haproxy, curl := needProgram(t, "haproxy", "haproxy"), needProgram(t, "curl", "curl")
	for _, version := range []string{"v1", "v2"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			overSources(t, []source{clientSource, foreignSource}, func(t *testing.T, s source) {
				g := startSource(t, s, "--send-proxy="+version)
				conf := filepath.Join(t.TempDir(), "haproxy.cfg")
				writeFile(t, conf, fmt.Sprintf(haproxyBehind))
				g.serve(t, []uint16{tproxyFirst}, haproxy, "-db", "-q", "-f", conf)
				overWays(t, udpWays(), func(t *testing.T, w way) {
					out := g.runClient(t, patience, curl, "--silent", "--show-error", "--noproxy", "*",
						"--write-out", "%{local_ip} %{local_port}\n", "http://"+w.dest(0).String()+"/")
					var seen, client string
					var seenPort, port uint16
					if n, err := fmt.Sscan(out, &seen, &seenPort, &client, &port); n != 4 {
						t.Fatalf("%q: %v", out, err)
					}
					if seen != client || seenPort != port {
						t.Errorf("HAProxy was told of %s %d, the client is %s %d", seen, seenPort, client, port)
					}
				})
			})
		})
	}
}

// TestSourceHeaderFromHAProxy has HAProxy name its clients to sluice, which shows
// them to the server; from others a header is data.
func TestSourceHeaderFromHAProxy(t *testing.T) {
	t.Parallel()
	haproxy, curl, nginx := needProgram(t, "haproxy", "haproxy"), needProgram(t, "curl", "curl"), needProgram(t, "nginx", "nginx-light")
	file := string(payload(1 << 20))
	for _, version := range []string{"send-proxy", "send-proxy-v2"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			g := startSource(t, clientSource, "--accept-proxy=10.77.1.2,fd77:1::2",
				"--forward=10.77.1.1:8081=10.77.2.2:21000", "--forward=[fd77:1::1]:8081=[fd77:2::2]:21000")
			g.serveWeb(t, nginx, tproxyFirst, file)
			conf := filepath.Join(t.TempDir(), "haproxy.cfg")
			writeFile(t, conf, fmt.Sprintf(haproxyBefore, version))
			serveIn(t, g.Client, []uint16{7000}, haproxy, "-db", "-q", "-f", conf)
			overWays(t, udpWays(), func(t *testing.T, w way) {
				front := netip.AddrPortFrom(w.pick("10.78.0.9", "fd78::9"), 7000)
				for range 3 {
					out := g.runClient(t, patience, curl, "--silent", "--show-error", "--noproxy", "*", "--interface", w.normal().String(),
						"--write-out", "%{local_ip} %{local_port}\n", "http://"+front.String()+"/")
					var seen, client string
					var seenPort, port uint16
					if n, err := fmt.Sscan(out, &seen, &seenPort, &client, &port); n != 4 {
						t.Fatalf("%q: %v", out, err)
					}
					if seen != client || seenPort != port {
						t.Errorf("the server sees %s %d, the client is %s %d", seen, seenPort, client, port)
					}
				}
				if got := g.runClient(t, patience, curl, "--silent", "--show-error", "--noproxy", "*",
					"--interface", w.normal().String(), "http://"+front.String()+"/files/noise"); got != file {
					t.Errorf("%d bytes of the file, want %d unchanged", len(got), len(file))
				}
				out := g.runClient(t, patience, curl, "--silent", "--show-error", "--noproxy", "*", "--interface", w.normal().String(),
					"--haproxy-protocol", "--output", "/dev/null", "--write-out", "%{http_code}",
					"http://"+netip.AddrPortFrom(w.gateway(), 8081).String()+"/")
				if out != "400" { // nginx takes the header for a request
					t.Errorf("with a header of a client's own: %q", out)
				}
			})
		})
	}
}
