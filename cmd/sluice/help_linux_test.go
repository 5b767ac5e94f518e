package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestHelpOfAnyWidth(t *testing.T) {
	program := buildProgram(t)
	for _, c := range []struct {
		columns string
		most    int
	}{{"40", 40}, {"60", 60}, {"80", 80}, {"200", 80}, {"0", 80}, {"-5", 80}, {"x", 80}} {
		for _, page := range []string{"", "help", "run --help", "help rules print"} {
			cmd := exec.Command(program, strings.Fields(page)...)
			cmd.Env = append(os.Environ(), "COLUMNS="+c.columns)
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(out)) {
				if len(line) > c.most+1 {
					t.Errorf("COLUMNS=%s sluice %s: %d columns: %q", c.columns, page, len(line)-1, line)
				}
			}
			if whole := strings.Join(strings.Fields(string(out)), " "); page == "run --help" && !strings.Contains(whole, "from TPROXY, as :12345.") {
				t.Errorf("COLUMNS=%s: words are lost:\n%s", c.columns, out)
			}
		}
	}
	if got := wrap("  a word-without-any-room\n", 8); got != "  a\n      word-without-any-room\n" {
		t.Errorf("%q", got)
	}
}

// TestHelpUnread: who leaves early is no fault, a disk that is full is one, and none of
// the command line.
func TestHelpUnread(t *testing.T) {
	program := buildProgram(t)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for _, args := range []string{"", "run --help", "run --help all", "rules --help", "version", "completion bash", "man", "complete interfaces"} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		cmd := exec.Command(program, strings.Fields(args)...)
		var stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = w, &stderr
		_ = cmd.Run() // ended by SIGPIPE
		w.Close()
		if stderr.Len() > 0 {
			t.Errorf("sluice %s |: %s", args, &stderr)
		}
		if args == "complete interfaces" {
			continue
		}
		cmd = exec.Command(program, strings.Fields(args)...)
		cmd.Stdout, cmd.Stderr = full, &stderr
		var exit *exec.ExitError
		if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != 1 || strings.Count(stderr.String(), "\n") != 1 {
			t.Errorf("sluice %s >/dev/full: %v: %s", args, err, &stderr)
		}
	}
}

// TestComplete: what completions are told, by the words before the cursor.
func TestComplete(t *testing.T) {
	program := buildProgram(t)
	file := t.TempDir() + "/sluice.json"
	text := `{"inbounds": [{"type": "tproxy", "tag": "two words", "listen_port": 1}], "outbounds": [{"type": "direct", "tag": "$(reboot)"}]}`
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, has, hasNot string }{
		{"commands -- help", "run\t", "rules print"},
		{"commands -- help ru", "", "rules"}, // there is no such command
		{"commands -- help rules", "print\t", "run\t"},
		{"commands -- help run", "udp\tUDP\n", "run\t"},
		{"commands -- --help run", "", ""},
		{"commands -- help status", "", "all"},
		{"inbounds -- route explain --config " + file + " --inbound", "two words\ttproxy", "$("},
		{"inbounds -- route explain --config=" + file, "two words\ttproxy", ""},
		{"inbounds -- route explain --config = " + file, "two words\ttproxy", ""},
		{"outbounds -- flows --config " + file, "$(reboot)\tdirect", "two"},
		{"flows -- kill --control /nonexistent/x", "", "t"},
		{"inbounds -- route explain --config -", "", "\t"},
		{"orders", "-bytes\t", ""},
	} {
		out := output(t, program, append([]string{"complete"}, strings.Fields(c.args)...)...)
		if !strings.Contains(out, c.has) || c.hasNot != "" && strings.Contains(out, c.hasNot) {
			t.Errorf("complete %s: %q, want %q, not %q", c.args, out, c.has, c.hasNot)
		}
	}
}
