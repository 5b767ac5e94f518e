package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"sluice/redir"
)

// TestExitStatus: 0, 1 with one line that says why, 2 with one more that says
// where to read on.
func TestExitStatus(t *testing.T) {
	program := buildProgram(t)
	good := writeFile(t, `{"type": "tproxy", "listen_port": 1}`)
	bad := writeFile(t, `{"type": "tproxy", "listen_prt": 1}`)
	empty := writeFile(t, `{}`)
	implied := writeFile(t, `{"inbounds": [{"type": "tproxy", "listen_port": 1}], "outbounds": [{"type": "block", "tag": "b"}], "route": {"final": "direct"}}`)
	engine := redir.BestEngine().String()
	for _, c := range []struct {
		args   string
		status int
		says   string
	}{
		{"--version", 0, "sluice"},
		{"--help", 0, "Usage: sluice COMMAND"},
		{"", 0, "sluice run --tproxy :12345 --install-rules --iface lan0"},
		{"help", 0, "Usage: sluice COMMAND"},
		{"help rules print", 0, "Usage: sluice rules print"},
		{"-V", 0, "sluice"},
		{"version", 0, "engine   " + engine},
		{"version --json", 0, `"engine": "` + engine + `"`},
		{"run --help", 0, "--help GROUP"},
		{"run --help udp", 0, "--udp-timeout"},
		{"run --help=udp", 0, "--udp-timeout"},
		{"help run all", 0, "--udp-timeout"},
		{"--help run udp", 0, "--udp-timeout"},
		{"--help rules print text", 0, "--undo"},
		{"help run --help", 0, "--help GROUP"},
		{"help --help", 0, "sluice help [<command> ...]"},
		{"run --tproxy :1 --help", 0, "--help GROUP"},
		{"check " + good, 0, good + ": ok"},
		{"check " + implied, 0, implied + ": ok"},
		{"run --print-config --config " + good, 0, `"listen_port": 1`},
		{"man", 0, ".TH SLUICE 8"},
		{"check " + bad, 1, bad + `:1:20: unknown key "listen_prt"; the nearest known one is "listen_port"`},
		{"check " + empty, 1, empty + ": names no inbound"},
		{"check /nonexistent", 1, "stat /nonexistent: no such file"},
		{"run --config " + bad, 1, bad + ":1:20: unknown key"},
		{"run", 1, "nothing to listen on"},
		{"run --tproxy :1 --udp-timeout 0s", 2, "--udp-timeout: 0s: want a time from 1ms to 365d"},
		{"run --tproxy :1 --user no-such-user", 1, "--user no-such-user: there is no such user"},
		{"run --redirect :1 --install-rules", 1, "--install-rules --via tproxy needs an inbound of that kind"},
		{"run --tproxy :1 --install-rules --output --mark 0", 1, "--output needs a --mark"},
		{"run --tproxy :1 --control 127.0.0.1:1", 1, "name a --control-token-file"},
		{"run --tproxy :1 --control /nonexistent/x", 1, "--control: /nonexistent/x: there is no directory /nonexistent"},
		{"run --tproxy :1 --control-token-file x", 1, "--control-token-file: a token is asked for at an address alone"},
		{"run --forward :1=127.0.0.1:9090 --control 127.0.0.1:9090", 1, "leads to sluice's own --control"},
		{"health --control /nonexistent/x", 1, "no sluice answers at /nonexistent/x"},
		{"status --control /nonexistent/x --json", 1, "no sluice answers at /nonexistent/x"},
		{"run --help ud", 2, `the nearest is "udp"`},
		{"help rules printt", 2, `the nearest is "print"`},
		{"help nothing", 2, "which is no command of \"sluice\"\nRun"},
		{"help udp", 2, "a group of flags: try sluice run --help udp"},
		{"rules --iface x print --help text", 0, "--undo"},
		{"status --help=all", 0, "Usage: sluice status"},
		{"run --help tcp udp", 2, `no help for "udp"`},
		{"run --tproxy :1 --control :1", 2, "want a path as /run/sluice/control.sock"},
		{"kill", 2, "which flows?"},
		{"kill t0.0", 2, `"t0.0" is no flow's`},
		{"kill --all t0.0.1", 2, "not several of these"},
		{"flows --client x", 2, `client: "x" is none`},
		{"flows --sort size", 2, "sort: "},
		{"flows --sort -age --control /nonexistent/x", 1, "no sluice answers at /nonexistent/x"},
		{"flows --sort -x", 2, "--sort: expected text value"},
		{"flows --limit -1", 2, "--limit -1: want "},
		{"run --tproxy :1 --udp-timeout -5s", 2, "--udp-timeout: -5s: want a time from 1ms to 365d"},
		{"run --tproxy :1 --pipe-size -1", 2, `--pipe-size: "-1" is no size`},
		{"rum", 2, `did you mean "run"`},
		{"run --tproxi :1", 2, `did you mean "--tproxy"`},
		{"run --tproxy 1", 2, `"1" is no address to listen on`},
		{"run --tproxy :1 --relay fast", 2, `--relay: "fast": want "auto", "copy" or "splice"`},
		{"run --tproxy :1 --pipe-size much", 2, `--pipe-size: "much" is no size`},
		{"completion tcsh", 2, `"tcsh": want "bash", "zsh" or "fish"`},
	} {
		cmd := exec.Command(program, strings.Fields(c.args)...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		err := cmd.Run()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		if got := cmd.ProcessState.ExitCode(); got != c.status {
			t.Errorf("%s: status %d, want %d: %s", c.args, got, c.status, &stderr)
		}
		said := stdout.String()
		if c.status != 0 {
			said = stderr.String()
		}
		if !strings.Contains(said, c.says) {
			t.Errorf("%s: said %q, want %q", c.args, said, c.says)
		}
		if lines := strings.Count(stderr.String(), "\n"); lines != c.status {
			t.Errorf("%s: %d lines of error, want %d:\n%s", c.args, lines, c.status, &stderr)
		}
	}
	check := exec.Command(program, "check", empty)
	check.Env = append(os.Environ(), "SLUICE_TPROXY=:1")
	if out, err := check.CombinedOutput(); err == nil {
		t.Errorf("check minds the environment: %s", out)
	}
	cmd := exec.Command(program, "run", "--tproxy", ":1")
	cmd.Env = append(os.Environ(), "SLUICE_MARK=much")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), `SLUICE_MARK="much"`) {
		t.Errorf("bad environment: %v, %s", err, out)
	}
}
