package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"sluice/redir/config"
)

// put writes files below dir.
func put(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFinder(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, map[string]string{
		"sluice.json": "{}", "conf.d/b.json": "{}", "conf.d/a.json": "{}", "conf.d/.a.json.swp": "", "conf.d/.hidden.json": "", "conf.d/a.json~": "",
		"conf.d/a.json.dpkg-new": "", "conf.d/README": "", "conf.d/d.json/x": "", "none/README": "", "one.json": "{}",
	})
	if err := os.Symlink("../one.json", filepath.Join(dir, "conf.d/c.json")); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"null": "/dev/null", "dir": "../none"} { // no files
		if err := os.Symlink(to, filepath.Join(dir, "conf.d", name+".json")); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "conf.d/pipe.json"), 0o600); err != nil {
		t.Fatal(err)
	}
	in := func(names ...string) (all []string) {
		for _, n := range names {
			all = append(all, filepath.Join(dir, n))
		}
		return all
	}
	for _, c := range []struct {
		etc   string
		given []string
		want  []string
		err   string
	}{
		{"", nil, nil, ""},
		{dir, nil, in("sluice.json", "conf.d/a.json", "conf.d/b.json", "conf.d/c.json"), ""},
		{filepath.Join(dir, "nowhere"), nil, nil, ""},
		{dir, in("one.json"), in("one.json"), ""},
		{dir, in("conf.d", "sluice.json"), in("conf.d/a.json", "conf.d/b.json", "conf.d/c.json", "sluice.json"), ""},
		{dir, in("conf.d", "one.json"), nil, "conf.d/c.json and " + dir + "/one.json are one file: leave one out"},
		{dir, in("one.json", "one.json"), nil, "one.json comes twice: leave one out"},
		{dir, []string{"off"}, nil, ""},
		{dir, []string{"off", "x"}, nil, "--config off"},
		{dir, in("none"), nil, "holds no file whose name ends in .json"},
		{dir, in("missing.json"), nil, "no such file"},
		{dir, []string{"-"}, nil, "standard input"},
	} {
		got, err := finder{etc: c.etc}.find(c.given)
		if c.err == "" && !slices.Equal(got, c.want) || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q of %s: %q, %v", c.given, c.etc, got, err)
		}
	}
	if dirs := (finder{etc: dir}).dirs(nil); !slices.Equal(dirs, in("", "conf.d")) && !slices.Equal(dirs, []string{dir, filepath.Join(dir, "conf.d")}) {
		t.Errorf("%q", dirs)
	}
	if dirs := (finder{}).dirs(in("conf.d/c.json", "missing/x.json")); !slices.Equal(dirs, []string{dir, filepath.Join(dir, "conf.d")}) {
		t.Errorf("%q", dirs)
	}
}

// TestCheckTells has check read standard input, directories and several files, and say
// all that is wrong, as text and as JSON.
func TestCheckTells(t *testing.T) {
	program, dir := buildProgram(t), t.TempDir()
	put(t, dir, map[string]string{
		"conf.d/10-in.json":  `{"inbounds": [{"type": "tproxy", "tag": "a", "listen_port": 1},],} // the LAN`,
		"conf.d/20-out.json": `{"outbounds": [{"type": "direct", "tag": "out"}], "route": {"final": "out"}}`,
		"bad.json":           "{\n  \"udp_timeout\": \"soon\",\n  \"relay\": \"fast\"\n}",
		"twice.json":         "{\n\"mark\": 4, \"inbounds\": [{\"type\": \"tproxy\", \"listen_port\": 1},\n {\"type\": \"tproxy\", \"listen_port\": 2, \"mark\": 3}]}",
	})
	check := func(stdin string, args ...string) (out, errs string, status int) {
		cmd := exec.Command(program, append([]string{"check"}, args...)...)
		var stdout, stderr strings.Builder
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
		_ = cmd.Run()
		return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
	}
	d := filepath.Join(dir, "conf.d")
	if out, errs, status := check("", d); status != 0 || out != d+"/10-in.json, "+d+"/20-out.json: ok\n" {
		t.Errorf("directory: %d %q %q", status, out, errs)
	}
	if out, errs, status := check(`{"type": "tproxy", "listen_port": 1}`, "-"); status != 0 || out != "standard input: ok\n" {
		t.Errorf("standard input: %d %q %q", status, out, errs)
	}
	if _, errs, status := check("{}", "-", "-"); status != 1 || errs != "sluice: configuration: standard input comes twice: leave one out\n" {
		t.Errorf("standard input twice: %d %q", status, errs)
	}
	put(t, dir, map[string]string{"a,b.json": `{"type": "tproxy", "listen_port": 1}`})
	comma := filepath.Join(dir, "a,b.json")
	if out, errs, status := check("", comma); status != 0 || out != comma+": ok\n" {
		t.Errorf("a comma: %d %q %q", status, out, errs)
	}
	t.Setenv("SLUICE_CONFIG", filepath.Join(dir, `a\,b.json`))
	if out, errs, status := check(""); status != 0 || out != comma+": ok\n" {
		t.Errorf("the file of the environment: %d %q %q", status, out, errs)
	}
	bad := filepath.Join(dir, "bad.json")
	want := "sluice: " + bad + ":2:18: udp_timeout: want a time as \"5m\", or a number of seconds, not \"soon\"\n" +
		"sluice: " + bad + ":3:12: relay: want \"auto\", \"copy\" or \"splice\", not \"fast\"\n"
	if out, errs, status := check("", d, bad); status != 1 || errs != want || out != "" {
		t.Errorf("two errors: %d %q %q", status, out, errs)
	}
	if _, errs, status := check("", filepath.Join(dir, "twice.json")); status != 1 || !strings.Contains(errs, "twice.json:3:2: inbounds[1]: tproxy [::]:2: mark 0x3: does not hold") {
		t.Errorf("what contradicts: %d %q", status, errs)
	}
	out, errs, status := check("", "--json", bad)
	var c checked
	if err := json.Unmarshal([]byte(out), &c); err != nil || status != 1 || c.OK || len(c.Errors) != 2 || c.Errors[1].Line != 3 || c.Errors[1].Key != "relay" || !slices.Equal(c.Files, []string{bad}) {
		t.Errorf("JSON: %d %+v %v %q", status, c, err, errs)
	}
	out, _, status = check("", "--json", d)
	if err := json.Unmarshal([]byte(out), &c); err != nil || status != 0 || !c.OK || len(c.Errors) != 0 || len(c.Files) != 2 {
		t.Errorf("JSON: %d %+v %v", status, c, err)
	}
	for given, stdin := range map[string]string{"-": "{", "/nonexistent.json": ""} { // what is at fault is among the files
		out, _, status = check(stdin, "--json", given)
		name := config.Name(given)
		if err := json.Unmarshal([]byte(out), &c); err != nil || status != 1 || len(c.Errors) != 1 || c.Errors[0].File != name || !slices.Equal(c.Files, []string{name}) {
			t.Errorf("JSON of %s: %d %+v %v", given, status, c, err)
		}
	}
}
