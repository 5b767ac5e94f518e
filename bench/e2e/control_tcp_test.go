//go:build linux

package e2e

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/bench/lab"
)

// controlPort is where the control socket of these tests is.
const controlPort uint16 = 9090

const controlToken = "A-token-of-these-tests"

// tokenFile is a file with controlToken.
func tokenFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(controlToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// windowInside is a control socket at an address, asked from inside a namespace.
func windowInside(t *testing.T, ns *lab.Namespace, at netip.AddrPort) *window {
	transport := &http.Transport{DisableKeepAlives: true}
	transport.Dial = func(string, string) (c net.Conn, err error) {
		err = ns.Do(func() (err error) {
			c, err = connect(netip.AddrPort{}, at)
			return err
		})
		return c, err
	}
	return &window{path: at.String(), http: http.Client{Transport: transport}, token: controlToken}
}

// TestControlUnreachable asserts that no client's traffic comes to the control socket,
// whichever way it takes and at whatever address that is, while it does come to a
// server beside it.
func TestControlUnreachable(t *testing.T) {
	t.Parallel()
	for _, listen := range []string{"127.0.0.1", "::1", lab.GatewayLAN4, "0.0.0.0", "::"} {
		t.Run(listen, func(t *testing.T) {
			t.Parallel()
			at := netip.AddrPortFrom(netip.MustParseAddr(listen), controlPort)
			var hosts []netip.Addr // of the gateway, that lead there
			for _, host := range []string{"127.0.0.1", "127.0.0.2", "::1", lab.GatewayLAN4, lab.GatewayWAN4, lab.GatewayLAN6, lab.GatewayWAN6} {
				a := netip.MustParseAddr(host)
				if at.Addr() == a || at.Addr().IsUnspecified() && (a.Is4() || listen == "::") {
					hosts = append(hosts, a)
				}
			}
			flags := []string{"--control=" + at.String(), "--control-token-file=" + tokenFile(t), "--allow-local",
				fmt.Sprintf("--map=21000=%d,20000=%[1]d", controlPort), "--forward=:31000=localhost:9090,tcp"}
			for i, host := range hosts {
				flags = append(flags, fmt.Sprintf("--forward=:%d=%v,tcp", 30000+i, netip.AddrPortFrom(host, controlPort+1)))
			}
			g := startGateway(t, setup{flags: flags, divert: func(l *lab.Lab) error {
				if err := divertNFT(l); err != nil {
					return err
				}
				return l.TProxyNFT(tproxyPort, controlPort, controlPort+1)
			}})
			nameCallers(t, g.Gateway, netip.AddrPortFrom(netip.IPv6Unspecified(), controlPort+1))
			for i, host := range hosts {
				direct := windowInside(t, g.Gateway, netip.AddrPortFrom(host, controlPort))
				direct.must(t, http.MethodGet, "/v1/status", nil)
				lan := netip.MustParseAddr(lab.GatewayLAN4)
				if host.Is6() {
					lan = netip.MustParseAddr(lab.GatewayLAN6)
				}
				g.wantCaller(t, netip.AddrPortFrom(lan, uint16(30000+i)))
				if host.Is4() == at.Addr().Is4() {
					g.wantNotForwarded(t, at, host)
				}
				if host.IsLoopback() {
					continue
				}
				for _, port := range []uint16{controlPort, 20000, 21000} { // diverted, and mapped
					g.wantNoControl(t, netip.AddrPortFrom(host, port))
				}
				g.wantCaller(t, netip.AddrPortFrom(host, controlPort+1))
			}
			g.wantNoControl(t, netip.MustParseAddrPort(lab.GatewayLAN4+":31000"))
			if listen == "0.0.0.0" {
				g.wantNoControl(t, netip.AddrPortFrom(netip.MustParseAddr(lab.GatewayLAN6), controlPort))
			}
		})
	}
}

// wantNotForwarded asserts that no forward may lead to a control socket.
func (g *gateway) wantNotForwarded(t *testing.T, at netip.AddrPort, host netip.Addr) {
	t.Helper()
	other := launch(t, g.Lab, setup{listen: []string{fmt.Sprintf("--forward=:31001=%v", netip.AddrPortFrom(host, controlPort+2))},
		flags: []string{"--control=" + netip.AddrPortFrom(at.Addr(), controlPort+2).String(), "--control-token-file=" + tokenFile(t)}})
	until(t, "a forward to its own control socket ends it", other.ended)
	if other.exit == nil || !strings.Contains(other.log.String(), "--control, which is for nobody's clients") {
		t.Errorf("forward to %v: %v, %s", host, other.exit, other.log)
	}
}

// wantNoControl asserts that whoever asks there is not answered as the control socket
// would.
func (g *gateway) wantNoControl(t *testing.T, to netip.AddrPort) {
	t.Helper()
	var said string
	if status, err := windowInside(t, g.Client, to).call(t.Context(), http.MethodGet, "/v1/status", nil, &said); err == nil {
		t.Errorf("%v answers with %d: %.100q", to, status, said)
	}
}

// wantCaller asserts that the server beside the control socket is reached.
func (g *gateway) wantCaller(t *testing.T, to netip.AddrPort) {
	t.Helper()
	c := dialTCP(t, g.Client, to)
	defer c.Close()
	buf := make([]byte, 64)
	if n, err := c.Read(buf); err != nil || n == 0 {
		t.Errorf("%v beside the control socket: %v", to, err)
	}
}

// TestControlAsksForToken asserts that over TCP only those are answered who know the
// token, and that browsers which others lead there are not.
func TestControlAsksForToken(t *testing.T) {
	t.Parallel()
	file := tokenFile(t)
	g := startGateway(t, setup{flags: []string{"--control=[::1]:9090", "--control-token-file=" + file}})
	at := netip.MustParseAddrPort("[::1]:9090")
	for _, token := range []string{"", "A-token-of-these-test", controlToken + "s", strings.ToUpper(controlToken)} {
		w := windowInside(t, g.Gateway, at)
		w.token = token
		for _, path := range []string{"/v1/status", "/v1/flows", "/v1/events", "/metrics", "/healthz", "/v1/none"} {
			w.wantProblem(t, http.MethodGet, path, "", http.StatusUnauthorized, "token")
		}
		w.wantProblem(t, http.MethodDelete, "/v1/flows?all=true", "", http.StatusUnauthorized)
		w.wantProblem(t, http.MethodPost, "/v1/drain", "", http.StatusUnauthorized)
		w.wantProblem(t, http.MethodPost, "/v1/session", fmt.Sprintf(`{"token":%q}`, token), http.StatusUnauthorized)
	}
	w := windowInside(t, g.Gateway, at)
	w.must(t, http.MethodGet, "/v1/status", nil)
	for host, want := range map[string]int{"[::1]:9090": 200, "10.0.0.1": 200, "localhost:9090": 200, "evil.example": 403, "evil.example:9090": 403,
		"localhost.evil.example": 403, "127.0.0.1.evil.example": 403, "::1.evil": 403} {
		if got := w.asHost(t, http.MethodGet, host, nil); got != want {
			t.Errorf("Host %s: %d, want %d", host, got, want)
		}
	}
	for _, headers := range []http.Header{{"Origin": {"http://evil.example"}}, {"Sec-Fetch-Site": {"cross-site"}}, {"Sec-Fetch-Site": {"same-site"}}} {
		if got := w.asHost(t, http.MethodDelete, "[::1]:9090", headers); got != http.StatusForbidden {
			t.Errorf("%v: %d", headers, got)
		}
	}
	if strings.Contains(g.log.String(), controlToken) {
		t.Error("the token is in the log")
	}
	for what, flags := range map[string][]string{
		"token":        {"--control=127.0.0.1:9091"},
		"16 to":        {"--control=127.0.0.1:9091", "--control-token-file=" + short(t)},
		"no such file": {"--control=127.0.0.1:9091", "--control-token-file=/nonexistent"},
	} {
		other := launch(t, g.Lab, setup{listen: []string{"--redirect=:12399"}, flags: flags})
		until(t, what+": sluice ends", other.ended)
		if other.exit == nil || !strings.Contains(other.log.String(), what) {
			t.Errorf("%v: exit %v, %s", flags, other.exit, other.log)
		}
	}
}

func short(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "short")
	writeFile(t, path, "fifteen bytes!!")
	return path
}

// asHost asks by a name, and returns the status.
func (w *window) asHost(t *testing.T, method, host string, headers http.Header) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://localhost/v1/flows?client=10.0.0.1", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	for name, values := range headers {
		r.Header[name] = values
	}
	r.Header.Set("Authorization", "Bearer "+w.token)
	answer, err := w.http.Do(r)
	if err != nil {
		t.Fatalf("Host %s: %v", host, err)
	}
	answer.Body.Close()
	return answer.StatusCode
}

// TestControlAtDefault has the default socket where its directory is, which a killed
// sluice leaves and the next one replaces, and none where it is not.
func TestControlAtDefault(t *testing.T) {
	t.Parallel()
	unshare := needProgram(t, "unshare", "util-linux")
	under := func(dir string) []string {
		return []string{unshare, "--mount", "sh", "-c", `mount -t tmpfs none /run && mkdir -p "$0" && exec "$@"`, dir}
	}
	g := startGateway(t, setup{under: under("/run/sluice")})
	path := g.Path("root/run/sluice/control.sock")
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != os.ModeSocket|0o660 {
		t.Errorf("%v, %v", info, err)
	}
	windowAt(t, path).must(t, http.MethodGet, "/healthz", nil)
	without := launch(t, g.Lab, setup{listen: []string{"--redirect=:12399"}, under: under("/run/other")})
	until(t, "one without the directory is ready", func() bool { return len(without.log.since(0, message("ready"))) == 1 })
	if found, _ := filepath.Glob(without.Path("root/run/*/*.sock")); len(found) > 0 {
		t.Errorf("%v where there is no directory", found)
	}
	without.signal(t, syscall.SIGTERM)
	until(t, "it ends", without.ended)
}

// TestControlFollows asserts that whoever asks at the socket is answered all the time
// while one sluice takes over from another, that what was killed leaves nothing that
// is in the way of the next, and that the last one removes the socket.
func TestControlFollows(t *testing.T) {
	t.Parallel()
	v := way{tproxy: true}
	s, w := controlled(t, v.installing("closed", "--drain-timeout=1m"))
	g := startFirst(t, s)
	asking := keepDoing(t, 4, func() error {
		status, err := w.call(t.Context(), http.MethodGet, "/v1/status", nil, nil)
		if err == nil && status != http.StatusOK && status != http.StatusServiceUnavailable { // which says that sluice starts
			err = fmt.Errorf("status %d", status)
		}
		return err
	})
	pid := func() (said struct{ PID int }) { w.must(t, http.MethodGet, "/v1/status", &said); return said }
	for range 2 {
		next := g.succeed(t, s)
		until(t, "the successor answers", func() bool { return pid().PID == int(next.Process) })
		until(t, "the incumbent ends", g.ended)
		g = next
	}
	if n := asking.stop(); n < 20 {
		t.Errorf("asked %d times", n)
	}
	if err := g.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	until(t, "it is killed", g.ended)
	if _, err := os.Lstat(w.path); err != nil {
		t.Errorf("a killed one has removed its socket: %v", err)
	}
	heir := launch(t, g.Lab, s)
	untilWithin(t, 2*patience, "the next one is ready", func() bool { return len(heir.log.since(0, message("ready"))) > 0 })
	if said := pid(); said.PID != int(heir.Process) {
		t.Errorf("%d answers, want %d", said.PID, heir.Process)
	}
	rival := launch(t, g.Lab, setup{listen: []string{"--redirect=:12399"}, flags: []string{"--control=" + w.path}})
	until(t, "another one at that path ends", rival.ended)
	if rival.exit == nil || !strings.Contains(rival.log.String(), fmt.Sprintf("process %d answers there", heir.Process)) {
		t.Errorf("exit %v: %s", rival.exit, rival.log)
	}
	heir.base, heir.shared = heir.FDs(), writeBackFDs
	begun := time.Now()
	heir.finish(t)
	if _, err := os.Lstat(w.path); !os.IsNotExist(err) {
		t.Errorf("the socket is left %v after the end: %v", time.Since(begun), err)
	}
}
