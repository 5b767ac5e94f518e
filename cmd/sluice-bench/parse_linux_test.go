package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"sluice/bench/compare"
)

// ended is how a parser that would end the program ends here.
type ended struct{ status int }

// parseHere parses a command line and returns what it wrote and how it ended: with an
// error, by leaving (help, version), or with a command that would run.
func parseHere(line string) (out string, err error, left bool) {
	var b strings.Builder
	defer func() {
		if e := recover(); e != nil {
			if _, left = e.(ended); !left {
				panic(e)
			}
			out = b.String()
		}
	}()
	_, err = parse(strings.Fields(line), kong.Writers(&b, &b), kong.Exit(func(status int) { panic(ended{status}) }))
	return b.String(), err, false
}

func TestBadCommandLines(t *testing.T) {
	for line, want := range map[string]string{
		"lod":                   `did you mean one of "lab", "load"`,
		"load":                  `expected "<test> <target>"`,
		"load tcp-rr":           `expected "<target>"`,
		"load tcp-r 10.0.0.1:9": `<test>: "tcp-r" is unknown; the nearest is "tcp-rr" (there are tcp-stream,`,
		"load tcp-rr host:9":    `target "host:9": want an IP address and a port`,
		"load tcp-stream 10.0.0.1:9 --direction upp": `the nearest is "up" (there are up, down, both)`,
		"flood sin 10.0.0.1:9 10.0.0.0/8":            `the nearest is "syn"`,
		"flood syn 10.0.0.1:9 10.0.0.0":              `from "10.0.0.0": want a prefix`,
		"flood syn 10.0.0.1:9 10.0.0.0/8 --rate 0":   `rate 0: want more than 0, and 1000000 at most`,
		"flood syn 10.0.0.1:9 fd00::/64":             `are of two families`,
		"socks --workers=-1":                         `--workers -1 must not be negative`,
		"compare --work htp-100":                     `--work: "htp-100" is unknown; the nearest is "http-100" (--list shows all)`,
		"compare --work http-100,crr-5":              `the nearest is "crr-50"`,
		"compare --peers hapoxy":                     `the nearest is "haproxy"`,
		"compare --sweep conections":                 `the nearest is "connections"`,
		"compare --variant =x":                       `want NAME=FLAGS`,
		"torture --only kil":                         `the nearest is "kill"`,
		"lab exec clinet true":                       `the nearest is "client"`,
		"lab up --rules ntf":                         `the nearest is "nft"`,
		"lab up --tproxy 70000":                      `"70000" is not a port`,
		"serve --listen 127.0.0.1":                   `want :PORT or ADDRESS:PORT`,
		"socks --relay :1=x":                         `relay ":1=x"`,
	} {
		_, err, left := parseHere(line)
		if left || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
}

func TestHelpAndVersion(t *testing.T) {
	for line, want := range map[string]string{
		"":            "Try and load transparent proxies.",
		"help":        "Put one load on a path",
		"help load":   "udp-churn: a new source port",
		"help lab up": "--tproxy=",
		"compare -h":  "--list",
		"--version":   "sluice-bench " + version(),
		"load --help": "tcp-crr: a connection for each request",
	} {
		out, err, left := parseHere(line)
		if !left || !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
			t.Errorf("%q: %v, left %v:\n%s", line, err, left, out)
		}
	}
}

func TestWellFormedCommandLines(t *testing.T) {
	for _, line := range []string{"version", "compare", "compare --list", "compare --work all --sweep all --peers direct,nginx", "report",
		"compare --congestion bbr,cubic", "lab up --congestion reno",
		"load tcp-stream 10.0.0.1:9 --direction both", "torture --only kill,aborts", "lab up --tproxy 12345:80,443"} {
		if _, err, left := parseHere(line); err != nil || left {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// TestReadme: README's command lines can be given.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := regexp.MustCompile(`(?m)^    (?:bin/)?sluice-bench ([^#&\n]*)`).FindAllStringSubmatch(string(readme), -1)
	if len(lines) < 8 {
		t.Errorf("%d command lines", len(lines))
	}
	for _, line := range lines {
		if _, err, left := parseHere(strings.ReplaceAll(line[1], "'", "")); err != nil || left {
			t.Errorf("%s: %v", line[0], err)
		}
	}
}

// A report is put beside its JSON unless it is told where.
func TestReportBesideItsJSON(t *testing.T) {
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, resultFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := (&compare.Result{Schema: compare.Schema}).Write(f); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	other := filepath.Join(dir, "other")
	for _, c := range []struct {
		cmd  reportCmd
		want string
	}{
		{reportCmd{File: f.Name()}, dir}, {reportCmd{File: dir}, dir}, {reportCmd{File: dir, Out: other}, other},
	} {
		_ = os.Remove(filepath.Join(c.want, "report.html"))
		if err := c.cmd.Run(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(c.want, "report.html")); err != nil {
			t.Errorf("%+v: %v", c.cmd, err)
		}
	}
	if err := (&reportCmd{File: filepath.Join(dir, "none.json")}).Run(); err == nil || !strings.Contains(err.Error(), "'sluice-bench compare' makes it") {
		t.Error(err)
	}
}
