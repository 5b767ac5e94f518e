package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
)

func TestReload(t *testing.T) {
	program := buildProgram(t)
	path := writeFile(t, "")
	write := func(format string, args ...any) {
		t.Helper()
		if err := os.WriteFile(path, fmt.Appendf(nil, format, args...), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const file = `{"inbounds": [{"type": "tproxy", "tag": "a", "listen_port": %d}], "mark": %d, "udp_timeout": %q}`
	write(file, 0x1111, 7, "5m")
	t.Setenv("SLUICE_ENGINE", "") // which would come before the file's
	r := startRun(t, program, "--config", path, "--mark", "9")
	r.told("READY=1\nSTATUS=carrying")
	r.told("WATCHDOG=1")
	expect := func(message, field, want string, ports ...string) {
		t.Helper()
		r.signal(syscall.SIGHUP)
		line := r.logged(message)
		if got := fmt.Sprint(line[field]); !strings.Contains(got, want) || want == "" && line[field] != nil {
			t.Errorf("logged %q, want %q", got, want)
		}
		r.told("RELOADING=1\nMONOTONIC_USEC=")
		r.told("READY=1")
		if got := r.listens(); !reflect.DeepEqual(got, ports) {
			t.Errorf("%s: listens on %q, want %q", want, got, ports)
		}
	}
	expect("reloaded, no setting is different", "changes", "", "1111")
	write(file, 0x1111, 8, "1m") // the flag --mark comes before the file's
	expect("reloaded", "changes", "[udp_timeout 5m -> 1m]", "1111")
	write(file, 0x2222, 8, "1m")
	expect("reloaded", "changes", "closed a: tproxy [::]:4369 tcp,udp opened a: tproxy [::]:8738 tcp,udp", "2222")
	const refused = "reload refused, nothing changed"
	write(`{"inbounds": [`)
	expect(refused, "error", path+":1:15: the file ends in the middle of a value", "2222")
	write(`{"inbounds": []}`)
	expect(refused, "error", "nothing to listen on", "2222")
	write(file, 0x3333, 8, "-1m")
	expect(refused, "error", "udp_timeout: -1m: want a time from 1ms to 365d", "2222")
	write(`{"type": "tproxy", "listen": "127.0.0.7", "listen_port": 1, "tag": "x", "udp_timeout": 1}`)
	expect("reloaded", "changes", "opened x: tproxy 127.0.0.7:1 tcp,udp udp_timeout 1s", "0001")
	for _, fixed := range []string{`"reactors": 1`, `"batch": 1`, `"user": "nobody"`, `"relay": "copy"`, `"engine": "epoll"`} {
		write(`{"inbounds": [{"type": "tproxy", "listen_port": 5}], %s}`, fixed)
		name, _, _ := strings.Cut(strings.Trim(fixed, `"`), `"`)
		expect(refused, "error", "--"+name+" cannot change while sluice runs", "0001")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	expect(refused, "error", "no such file", "0001")
	r.stop()
}

// TestReloadOfAPortInUse: an inbound changes its networks, its address and its
// kind on the port that it has.
func TestReloadOfAPortInUse(t *testing.T) {
	path := writeFile(t, `{"inbounds": [{"type": "tproxy", "listen": "127.0.0.1", "listen_port": 4369, "network": "tcp"}]}`)
	r := startRun(t, buildProgram(t), "--config", path)
	r.told("READY=1\nSTATUS=carrying")
	for _, c := range []struct {
		inbounds, message string
		tcp, udp          []string
	}{
		{`{"type": "tproxy", "listen": "127.0.0.1", "listen_port": 4369, "network": ["tcp", "udp"]}`, "reloaded", []string{"1111"}, []string{"1111"}},
		{`{"type": "tproxy", "listen": "::", "listen_port": 4369}`, "reloaded", []string{"1111"}, []string{"1111"}},
		{`{"type": "tproxy", "listen": "127.0.0.2", "listen_port": 4369}, {"type": "tproxy", "listen": "127.0.0.1", "listen_port": 4369}`, "reloaded", []string{"1111"}, []string{"1111"}},
		{`{"type": "tproxy", "listen_port": 4369}, {"type": "redirect", "listen": "127.0.0.1", "listen_port": 4369}`, "reload refused, nothing changed", []string{"1111"}, []string{"1111"}},
		{`{"type": "redirect", "listen": "::", "listen_port": 4369}, {"type": "tproxy", "listen_port": 4369, "network": "udp"}`, "reloaded", []string{"1111"}, []string{"1111"}},
		{`{"type": "redirect", "listen": "::", "listen_port": 4369}`, "reloaded", []string{"1111"}, nil},
	} {
		if err := os.WriteFile(path, []byte(`{"inbounds": [`+c.inbounds+`]}`), 0o644); err != nil {
			t.Fatal(err)
		}
		r.signal(syscall.SIGHUP)
		r.logged(c.message)
		r.told("RELOADING=1\nMONOTONIC_USEC=")
		r.told("READY=1")
		if tcp, udp := r.listens(), r.listensUDP(); !reflect.DeepEqual(tcp, c.tcp) || !reflect.DeepEqual(udp, c.udp) {
			t.Errorf("%s: tcp %q, udp %q", c.inbounds, tcp, udp)
		}
	}
	r.stop()
}

func TestReloadWithoutFile(t *testing.T) {
	r := startRun(t, buildProgram(t), "--tproxy", ":1")
	r.signal(syscall.SIGHUP)
	r.logged("SIGHUP: there is no configuration file to reread")
	r.signal(syscall.SIGUSR1)
	r.logged("counters")
	r.told("READY=1")
	r.stop()
}

// TestReloadDenied: what sluice may no longer read names who may not, and what helps.
func TestReloadDenied(t *testing.T) {
	needUsers(t)
	const text = `{"type": "tproxy", "listen_port": 4369}`
	path, elsewhere := writeFile(t, text), writeFile(t, text)
	forUsers(t, path)
	forUsers(t, elsewhere)
	r := startRun(t, buildProgram(t), "--config", path, "--user", "nobody", "--confine", "require")
	for _, c := range []struct {
		change func() error
		want   string
	}{
		{func() error { return os.Chmod(path, 0o600) },
			path + ": permission denied: sluice reads it as user nobody: let that account read it"},
		{func() error { return errors.Join(os.Remove(path), os.Symlink(elsewhere, path)) },
			path + ": permission denied: sluice is confined, and reads only what it was told of at its start (" + filepath.Dir(path) + "): put the file there, or restart sluice"},
	} {
		if err := c.change(); err != nil {
			t.Fatal(err)
		}
		r.told("READY=1")
		r.signal(syscall.SIGHUP)
		if line := r.logged("reload refused, nothing changed"); !strings.Contains(fmt.Sprint(line["error"]), c.want) {
			t.Errorf("refused: %v, want %s", line["error"], c.want)
		}
		r.told("RELOADING=1")
	}
	r.told("READY=1")
	r.stop()
}
