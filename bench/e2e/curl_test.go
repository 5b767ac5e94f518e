//go:build linux

package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/bench/lab"
)

// nginxConf answers with the client's and the server's address as nginx sees
// them, and serves the files of a folder beneath /files/.
const nginxConf = `
daemon off; master_process off; pid %[1]s/pid; error_log stderr warn;
events { worker_connections 512; }
http {
  access_log off; client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s;
  uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
  server {
    listen 20000; listen [::]:20000; listen 21000; listen [::]:21000;
    location / { return 200 "$remote_addr $server_addr:$server_port\n"; }
    location /files/ { alias %[1]s/; }
  }
}`

// TestCurl asks a real web server, by both kinds of rules.
func TestCurl(t *testing.T) {
	t.Parallel()
	curl, nginx := needProgram(t, "curl", "curl"), needProgram(t, "nginx", "nginx-light")
	for name, divert := range map[string]func(*lab.Lab) error{"nft": divertNFT, "iptables": divertIPTables} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, setup{divert: divert})
			dir := t.TempDir()
			conf := filepath.Join(dir, "nginx.conf")
			file := string(payload(5 << 20))
			writeFile(t, conf, fmt.Sprintf(nginxConf, dir))
			writeFile(t, filepath.Join(dir, "noise"), file)
			g.serve(t, []uint16{redirectFirst, tproxyFirst}, nginx, "-c", conf)
			overWays(t, ways(), func(t *testing.T, w way) {
				for _, dest := range []netip.AddrPort{w.dest(0), netip.AddrPortFrom(w.pick("198.18.7.7", "2001:2::77"), w.port(0))} {
					url := "http://" + dest.String()
					out := g.runClient(t, 10*time.Second, curl, "--silent", "--show-error", "--noproxy", "*",
						"--write-out", "%{remote_ip} %{remote_port} %{num_connects}\n", url+"/a", url+"/b")
					want := fmt.Sprintf("%v %v:%[3]d\n%[2]v %d 1\n", w.seen(), dest.Addr(), dest.Port()) +
						fmt.Sprintf("%v %v:%[3]d\n%[2]v %d 0\n", w.seen(), dest.Addr(), dest.Port())
					if out != want {
						t.Errorf("%v:\n%swant\n%s", dest, out, want)
					}
					if got := g.runClient(t, 10*time.Second, curl, "--silent", "--show-error", "--noproxy", "*", url+"/files/noise"); got != file {
						t.Errorf("%v: %d bytes of the file, want %d unchanged", dest, len(got), len(file))
					}
				}
			})
			if accepted, want := g.counters(t).number("conns_accepted"), 4*2*2; accepted != want {
				t.Errorf("%d connections, want %d", accepted, want)
			}
		})
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(strings.TrimPrefix(text, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
}
