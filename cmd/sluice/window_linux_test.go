package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/cmd/sluice/api"
	"sluice/cmd/sluice/client"
	"sluice/cmd/sluice/control"
)

// controlDir is a directory for a socket, which every user may reach and the given one
// may write to.
func controlDir(t *testing.T, uid int) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sluice-control-") // a path that is short enough
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := errors.Join(os.Chmod(dir, 0o755), os.Chown(dir, uid, uid)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// startAnswering is startRun for a test in which nobody minds what the service manager
// is told.
func startAnswering(t *testing.T, program string, args ...string) *running {
	t.Helper()
	r := startRun(t, program, args...)
	go io.Copy(io.Discard, r.bus) // a full socket would hold sluice up
	return r
}

// ended ends it by SIGTERM, with status 0, and returns its last line.
func (r *running) ended() (last map[string]any) {
	r.t.Helper()
	r.signal(syscall.SIGTERM)
	for line := range r.lines {
		last = line
	}
	if err := r.cmd.Wait(); err != nil || last["message"] != "stopped" {
		r.t.Errorf("it ends with %v, %v", last, err)
	}
	return last
}

// asked is a client of a control socket.
func asked(t *testing.T, address, token string) *client.Client {
	t.Helper()
	c, err := client.New(address, token)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// TestControlSocket has the real program answer, confined and as another user.
func TestControlSocket(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("becoming another user, and network namespaces, need root")
	}
	program := buildProgram(t)
	t.Run("answers", func(t *testing.T) { testControlAnswers(t, program) })
	t.Run("steers", func(t *testing.T) { testControlSteers(t, program) })
	t.Run("is handed over", func(t *testing.T) { testControlHandedOver(t, program) })
	t.Run("belongs to one", func(t *testing.T) { testControlBelongsToOne(t, program) })
	t.Run("shows and ends flows", func(t *testing.T) { testControlFlows(t, program) })
	t.Run("by default", func(t *testing.T) { testControlDefault(t, program) })
	t.Run("TCP", func(t *testing.T) { testControlTCP(t, program) })
}

func testControlAnswers(t *testing.T, program string) {
	const nobody = 65534
	dir := controlDir(t, nobody)
	path := filepath.Join(dir, "control.sock")
	r := startAnswering(t, program, "--tproxy", ":4369", "--control", path, "--user", "nobody", "--confine", "require")
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o660 || info.Sys().(*syscall.Stat_t).Uid != nobody || info.Sys().(*syscall.Stat_t).Gid != nobody {
		t.Errorf("the socket: %v, %v", info.Mode(), err)
	}
	threads(t, r.cmd.Process.Pid, confinedThreads("65534", relayCaps))
	for route, says := range map[string]string{
		"/v1/status": `"state":"serving"`, "/v1/flows": `"total":0`, "/v1/counters": `"conns_accepted":0`, "/v1/top": `{}`,
		"/v1/config": `"listen_port": 4369`, "/v1/log-level": `{"level":"info"}`, "/healthz": `{"well":true}`, "/readyz": `{"well":true}`,
		"/metrics": "sluice_connections", "/v1/nothing": `"status":404`,
	} {
		if got := curl(t, path, route); !strings.Contains(got, says) {
			t.Errorf("%s: %s", route, got)
		}
	}
	stream := exec.Command("curl", "-sN", "--unix-socket", path, "http://localhost/v1/events?flows=5")
	said, err := stream.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Start(); err != nil {
		t.Fatal(err)
	}
	const sample = "event: sample\ndata: {"
	heard := make(chan error, 1)
	go func() { _, err := io.ReadFull(said, make([]byte, len(sample))); heard <- err }()
	select {
	case err := <-heard:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("no sample")
	}
	for command, says := range map[string]string{"status": "serving for", "status --json": `"pid":` + strconv.Itoa(r.cmd.Process.Pid), "flows": "DESTINATION", "flows --json": "",
		"health --ready": "well\n", "kill --all": "ended 0 flows\n"} {
		if said := output(t, program, append(strings.Fields(command), "--control", path)...); !strings.Contains(said, says) {
			t.Errorf("%s: %s", command, said)
		}
	}
	r.ended()
	_, _ = io.Copy(io.Discard, said)
	if err := stream.Wait(); err != nil {
		t.Errorf("the stream ended with %v", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left: %v", err)
	}
}

// curl asks as anybody would.
func curl(t *testing.T, path, route string) string {
	t.Helper()
	return output(t, "curl", "-s", "--max-time", "10", "--unix-socket", path, "http://localhost"+route)
}

func testControlSteers(t *testing.T, program string) {
	path := filepath.Join(controlDir(t, 0), "control.sock")
	file := writeFile(t, `{"type": "tproxy", "listen_port": 4369, "tag": "a"}`)
	r := startAnswering(t, program, "--config", file, "--control", path)
	c, ctx := asked(t, path, ""), t.Context()
	if _, err := c.SetLogLevel(ctx, "debug"); err != nil {
		t.Error(err)
	}
	r.logged("the log has another level, as the control socket was told")
	if err := os.WriteFile(file, []byte(`{"inbounds": [{"type": "tproxy", "listen_port": 4369, "tag": "a"}], "mark": 18, "log_level": "info"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	reloaded, err := c.Reload(ctx)
	if err != nil || !strings.Contains(strings.Join(reloaded.Changes, " "), "mark") {
		t.Errorf("reloaded %v, %v", reloaded.Changes, err)
	}
	r.logged("reloaded")
	if level, err := c.LogLevel(ctx); err != nil || level.Level != "info" {
		t.Errorf("after a reload, level %v, %v", level, err)
	}
	if config, err := c.Config(ctx); err != nil || !strings.Contains(string(config), `"mark": 18`) {
		t.Errorf("config %s, %v", config, err)
	}
	for text, says := range map[string]string{`{"inbounds": [], "mrk": 1}`: "unknown key", `{"inbounds": [{"type": "tproxy", "listen_port": 4369, "tag": "a"}], "control_token_file": "x"}`: "--control-token-file"} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := c.Reload(ctx)
		var p *api.Problem
		if !errors.As(err, &p) || p.Status != 422 || !strings.Contains(p.Detail, says) {
			t.Errorf("reload of %s: %v", text, err)
		}
		r.logged("reload refused, nothing changed")
	}
	for range 2 { // the second changes nothing
		if d, err := c.Drain(ctx); err == nil && d.Seconds != 10 {
			t.Errorf("draining %+v", d)
		}
	}
	r.logged("draining")
	r.logged("stopped")
	if err := r.cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// testControlHandedOver: somebody answers all the time, the successor from when the
// other one has yielded, and whoever ends last takes the socket away.
func testControlHandedOver(t *testing.T, program string) {
	path := filepath.Join(controlDir(t, 0), "control.sock")
	flags := []string{"--tproxy", ":4369", "--control", path, "--drain-timeout", "2s"}
	r := startAnswering(t, program, flags...)
	done, failed := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(failed)
		for {
			select {
			case <-done:
				return
			default:
			}
			c, err := client.New(path, "")
			if err == nil {
				_, err = c.Health(t.Context(), false)
				c.Close()
			}
			if err != nil {
				failed <- err
				return
			}
		}
	}()
	next := exec.Command("nsenter", append([]string{"--net", "--target", strconv.Itoa(r.cmd.Process.Pid), program, "run", "--log-format", "json"}, flags...)...)
	next.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var log bytes.Buffer
	next.Stderr = &log
	if err := next.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { next.Process.Kill(); next.Wait() })
	eventually(t, "the successor answers", func() bool {
		status, err := asked(t, path, "").Status(t.Context())
		return err == nil && status.PID == next.Process.Pid && status.State == "serving"
	})
	if err := r.cmd.Wait(); err != nil {
		t.Error(err)
	}
	if status, err := asked(t, path, "").Status(t.Context()); err != nil || status.PID != next.Process.Pid {
		t.Errorf("after the first has ended: %d, %v", status.PID, err)
	}
	close(done)
	if err := <-failed; err != nil {
		t.Errorf("meanwhile: %v", err)
	}
	next.Process.Signal(syscall.SIGTERM)
	if err := next.Wait(); err != nil {
		t.Errorf("%v: %s", err, &log)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left: %v", err)
	}
}

// testControlBelongsToOne: a second sluice cannot have the socket of one that runs,
// and takes over what one has left that was killed.
func testControlBelongsToOne(t *testing.T, program string) {
	path := filepath.Join(controlDir(t, 0), "control.sock")
	r := startAnswering(t, program, "--tproxy", ":4369", "--control", path)
	other := exec.Command(program, "run", "--redirect", "127.0.0.1:1", "--control", path)
	out, err := other.CombinedOutput()
	if want := fmt.Sprintf("%s: process %d answers there", path, r.cmd.Process.Pid); other.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), want) {
		t.Errorf("%v: %s, want %q", err, out, want)
	}
	r.signal(syscall.SIGKILL)
	r.cmd.Wait()
	if _, err := os.Lstat(path); err != nil {
		t.Fatal(err)
	}
	again := startAnswering(t, program, "--tproxy", ":4369", "--control", path)
	if status, err := asked(t, path, "").Status(t.Context()); err != nil || status.PID != again.cmd.Process.Pid {
		t.Errorf("%+v, %v", status, err)
	}
	again.ended()
}

// testControlDefault: where its directory is there, it is there too, unless another
// sluice has it.
func testControlDefault(t *testing.T, program string) {
	inside := filepath.Join(controlDir(t, 0), "sluice")
	script := `#!/bin/sh
exec unshare --mount sh -c 'mount -t tmpfs tmpfs /run && mkdir /run/sluice && exec "$@"' sh ` + program + ` "$@"
`
	if err := os.WriteFile(inside, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	r := startAnswering(t, inside, "--tproxy", ":4369")
	pid := strconv.Itoa(r.cmd.Process.Pid)
	path := "/proc/" + pid + "/root" + control.Default
	answers := func(when string) {
		if status, err := asked(t, path, "").Status(t.Context()); err != nil || status.PID != r.cmd.Process.Pid {
			t.Errorf("%s: %d, %v", when, status.PID, err)
		}
	}
	answers("alone")
	other := exec.Command("nsenter", "--mount", "--net", "--target", pid, program, "run", "--redirect", ":4370", "--log-format", "json")
	other.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	said, err := other.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	lines := bufio.NewScanner(said)
	for lines.Scan() && !strings.Contains(lines.Text(), `"ready"`) {
		log.WriteString(lines.Text())
	}
	if !strings.Contains(log.String(), "there is no control socket") || !strings.Contains(log.String(), "process "+pid+" answers there") {
		t.Errorf("another one says %s", &log)
	}
	answers("beside another one")
	other.Process.Signal(syscall.SIGTERM)
	_, _ = io.Copy(io.Discard, said)
	if err := other.Wait(); err != nil {
		t.Error(err)
	}
	answers("after it")
	r.ended()
}

// testControlTCP: nobody without the token, and nobody's traffic, not even where the
// gateway's own addresses are permitted.
func testControlTCP(t *testing.T, program string) {
	const token = "0123456789abcdef"
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{"127.0.0.1:9090", "[::1]:9090", "0.0.0.0:9090"} {
		_, port, err := net.SplitHostPort(at)
		if err != nil {
			t.Fatal(err)
		}
		r := startAnswering(t, program, "--redirect", ":4369", "--forward", ":4370=localhost:"+port+",tcp", "--allow-local", "--mark", "2",
			"--control", at, "--control-token-file", file)
		to := strings.Replace(at, "0.0.0.0", "127.0.0.1", 1)
		ask := func(args ...string) string {
			return r.inside("curl", append([]string{"-sg", "--max-time", "10", "-o", "-", "-w", "%{http_code} %{errormsg}"}, args...)...)
		}
		if got := ask("http://" + to + "/v1/status"); !strings.HasSuffix(got, "401 ") {
			t.Errorf("%s without a token: %s", at, got)
		}
		bearer := "Authorization: Bearer " + token
		if got := ask("-H", bearer, "http://"+to+"/v1/status"); !strings.Contains(got, `"state":"serving"`) {
			t.Errorf("%s: %s", at, got)
		}
		r.inside("nft", "add table inet t; add chain inet t out { type nat hook output priority -100; }; add rule inet t out meta mark != 2 tcp dport "+port+" redirect to :4369")
		through := func(url string) {
			out, _ := exec.Command("nsenter", "--net", "--target", strconv.Itoa(r.cmd.Process.Pid), "curl", "-sg", "--max-time", "10", "-H", bearer, "-w", "%{http_code}", url).CombinedOutput()
			if got := string(out); got != "000" {
				t.Errorf("%s through the proxy at %s: %s", at, url, got)
			}
		}
		through("http://" + to + "/v1/status")
		through("http://127.0.0.1:4370/v1/status")
		// Of the forward's addresses the first may be one where nobody listens.
		if last := r.ended(); last["refused_to_listener"] != 2.0 && (last["refused_to_listener"] != 1.0 || last["upstream_refused"] != 1.0) {
			t.Errorf("%s: %v", at, last)
		}
	}
}
