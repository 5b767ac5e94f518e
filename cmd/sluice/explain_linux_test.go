package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// routed is a file of routes; LIST is its rule set.
const routed = `{"install_rules": true,
	"inbounds": [{"type": "tproxy", "tag": "in", "listen_port": 1}, {"type": "redirect", "tag": "re", "listen_port": 2}],
	"outbounds": [{"type": "socks", "tag": "proxy", "server": "192.0.2.9", "server_port": 1080, "username": "joe", "password": "mystery", "fallback": "direct"},
	              {"type": "http", "tag": "web", "server": "192.0.2.9", "server_port": 3128},
	              {"type": "direct", "tag": "direct"}, {"type": "forward", "tag": "kernel"}],
	"route": {"rule_set": [{"tag": "ads", "path": "LIST"}], "rules": [
		{"port": 25, "outbound": "kernel"},
		{"rule_set": "ads", "action": "reject"},
		{"domain_suffix": "corp.test", "network": "tcp", "outbound": "direct"},
		{"network": "udp", "port": 443, "outbound": "web"},
		{"port": 8080, "outbound": "proxy", "override_port": 80},
		{"port": 8080, "inbound": "in", "outbound": "direct"}]}}`

func TestExplain(t *testing.T) {
	program := buildProgram(t)
	list := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(list, []byte("ads.test\n198.51.100.0/24\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	file := writeFile(t, strings.Replace(routed, "LIST", list, 1))
	for _, c := range []struct{ args, want string }{
		{"10.0.0.7 203.0.113.5:25", `tcp 10.0.0.7:49152 -> 203.0.113.5:25, inbound in
route.rules[0]: yes: port 25
=> route.rules[0]: outbound kernel (forward), which is the kernel's: with --install-rules sluice does not see such flows
`},
		{"fd00::7 [2001:db8::5]:443 --network udp --domain Www.Ads.test.", `udp [fd00::7]:49152 -> [2001:db8::5]:443 (www.ads.test), inbound in
route.rules[0]: no: port: not 443
route.rules[1]: yes: rule_set ads: domain www.ads.test
=> route.rules[1]: rejected: refused at once
`},
		{"10.0.0.7:40000 203.0.113.5 --inbound re", `tcp 10.0.0.7:40000 -> 203.0.113.5:443, inbound re
route.rules[0]: no: port: not 443
route.rules[1]: unknown: rule_set ads: the name tells
route.rules[2]: unknown: domain_suffix: the name tells
route.rules[3]: no: network: not tcp
route.rules[4]: no: port: not 443
route.rules[5]: no: inbound: not re
=> the name in the flow's first bytes decides, which --domain says; without one it is route.final
route.rules[1]: rejected: refused at once
route.rules[2]: outbound direct
route.final: outbound proxy (socks 192.0.2.9:1080); else outbound direct
`},
		{"10.0.0.7 203.0.113.5 --network udp --domain x.test", `udp 10.0.0.7:49152 -> 203.0.113.5:443 (x.test), inbound in
route.rules[0]: no: port: not 443
route.rules[1]: no: rule_set ads: not 203.0.113.5 (x.test)
route.rules[2]: no: network: not udp
route.rules[3]: yes: network udp, port 443
=> route.rules[3]: outbound web (http 192.0.2.9:3128), which carries no UDP and refuses it
`},
		{"10.0.0.7 203.0.113.5:8080 --domain x.test", `tcp 10.0.0.7:49152 -> 203.0.113.5:8080 (x.test), inbound in
route.rules[0]: no: port: not 8080
route.rules[1]: no: rule_set ads: not 203.0.113.5 (x.test)
route.rules[2]: no: domain_suffix: not 203.0.113.5 (x.test)
route.rules[3]: no: network: not tcp
route.rules[4]: yes: port 8080
=> route.rules[4]: at port 80, by outbound proxy (socks 192.0.2.9:1080); else outbound direct
`},
	} {
		out, err := exec.Command(program, append([]string{"route", "explain", "--config", file}, strings.Fields(c.args)...)...).CombinedOutput()
		if err != nil || string(out) != c.want {
			t.Errorf("%s: %v\n%s\nwant\n%s", c.args, err, out, c.want)
		}
	}
	out, err := exec.Command(program, "route", "explain", "--json", "--config", file, "10.0.0.7", "198.51.100.7").Output()
	var said struct {
		Rule, Way string
		Steps     []struct{ Rule, Answer, Why string }
	}
	if err := errors.Join(err, json.Unmarshal(out, &said)); err != nil || said.Rule != "route.rules[1]" || said.Way == "" || len(said.Steps) != 2 || said.Steps[1].Why == "" {
		t.Errorf("%v: %s", err, out)
	}
	for args, want := range map[string]string{
		"10.0.0.7 x.test":                            "a name goes into --domain",
		"10.0.0.7 2001:db8::5":                       "want two of one family",
		"10.0.0.7 203.0.113.5 --inbound three":       "no inbound of the file has this tag",
		"10.0.0.7 203.0.113.5 --domain https://a.b/": "--domain: ",
	} {
		out, err := exec.Command(program, append([]string{"route", "explain", "--config", file}, strings.Fields(args)...)...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v: %s", args, err, out)
		}
	}
	out, err = exec.Command(program, "check", file).CombinedOutput()
	want := file + ": ok\n" + file + ": warning: route.rules[5] can never match: route.rules[4] takes what it would\n"
	if err != nil || string(out) != want {
		t.Errorf("check: %v: %s, want %s", err, out, want)
	}
	if err := os.WriteFile(list, []byte("an ad\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err = exec.Command(program, "check", file).CombinedOutput()
	if want := file + ": route.rule_set[0]: " + list + ":1: "; err == nil || !strings.Contains(string(out), want) {
		t.Errorf("check of a bad rule set: %v: %s", err, out)
	}
}

// TestReloadOfRuleSets asserts that a sluice that is confined reads a rule set again
// when it has changed, that flows follow it, and that the neighbour table can be read
// from then on.
func TestReloadOfRuleSets(t *testing.T) {
	list := filepath.Join(t.TempDir(), "list")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(list+".new", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(list+".new", list); err != nil {
			t.Fatal(err)
		}
	}
	write("127.0.0.0/8 # refused\n")
	file := `{
		"inbounds": [{"type": "direct", "listen": "127.0.0.1", "listen_port": 4369, "network": "tcp", "override_address": "127.0.0.1", "override_port": 8738}],
		"route": {"rule_set": [{"tag": "list", "path": "` + list + `"}], "rules": [{"rule_set": "list", "action": "reject"}]}}`
	path := writeFile(t, file)
	r := startRun(t, buildProgram(t), "--config", path, "--confine", "require", "--mark", "0", "--allow-local")
	go io.Copy(io.Discard, r.bus)
	within(t, r.cmd.Process.Pid, func() {
		l, err := net.Listen("tcp", "127.0.0.1:8738")
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = conn.Write([]byte("hello"))
				conn.Close()
			}
		}()
	})
	carried := func() (err error) {
		within(t, r.cmd.Process.Pid, func() {
			var conn net.Conn
			if conn, err = net.Dial("tcp", "127.0.0.1:4369"); err != nil {
				return
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(patience))
			_, err = conn.Read(make([]byte, 5))
		})
		return err
	}
	if err := carried(); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("an address in the list: %v", err)
	}
	write("203.0.113.0/24\nads.test\nwww.ads.test\n")
	withMAC := strings.Replace(file, `"reject"}`, `"reject"}, {"source_mac_address": "02:00:00:00:00:01", "inbound": "x", "outbound": "direct"}`, 1)
	if err := os.WriteFile(path, []byte(withMAC), 0o644); err != nil {
		t.Fatal(err)
	}
	r.signal(syscall.SIGHUP)
	if line := r.logged("a rule set is read"); line["networks"] != 1.0 || line["names"] != 2.0 {
		t.Errorf("%v", line)
	}
	r.logged("route.rules[1] can never match: inbound: there is none with the tag x")
	if line := r.logged("reloaded"); fmt.Sprint(line["changes"]) != "[route.rules: 0 gone, 1 new]" {
		t.Errorf("%v", line)
	}
	if err := carried(); err != nil {
		t.Errorf("an address that is no longer in the list: %v", err)
	}
	write("203.0.113.0/24\nan ad\n")
	r.signal(syscall.SIGHUP)
	if line := r.logged("reload refused, nothing changed"); !strings.Contains(line["error"].(string), list+":2: ") {
		t.Errorf("%v", line)
	}
	if err := carried(); err != nil {
		t.Errorf("after a reload that was refused: %v", err)
	}
}
