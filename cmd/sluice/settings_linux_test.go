package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"sluice/redir/size"
)

// parseRun parses a command line of `sluice run` with the environment.
func parseRun(t *testing.T, args ...string) (*kong.Context, *runCmd) {
	t.Helper()
	ctx, err := parse(append([]string{"run"}, args...), kong.DefaultEnvars("SLUICE"))
	if err != nil {
		t.Fatal(err)
	}
	return ctx, runOf(ctx)
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sluice.json")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPrecedence(t *testing.T) {
	file := writeFile(t, `{"inbounds": [{"type": "tproxy", "listen_port": 1}],
		"mark": 30, "batch": 30, "max_conns": 30, "udp_timeout": 30, "relay": "copy", "allow_local": true,
		"rules": {"iface": ["lan0", "lan1"], "exclude_uid": [1, 2]}}`)
	t.Setenv("SLUICE_MARK", "20")
	t.Setenv("SLUICE_BATCH", "20")
	t.Setenv("SLUICE_CONFIG", file)
	t.Setenv("SLUICE_VERSION", "1") // is no variable of ours
	_, cmd := parseRun(t, "--mark", "10")
	for what, got := range map[string][2]any{
		"flag before environment": {cmd.Mark, uint32(10)},
		"environment before file": {cmd.Batch, 20},
		"file before default":     {cmd.MaxConns, 30},
		"seconds":                 {cmd.UDPTimeout.String(), "30s"},
		"choice":                  {cmd.Relay, "copy"},
		"bool":                    {cmd.AllowLocal, true},
		"list":                    {strings.Join(cmd.Rules.Iface, " "), "lan0 lan1"},
		"list of numbers":         {slices.Equal(cmd.Rules.ExcludeUID, []uint32{1, 2}), true},
		"default":                 {cmd.BufferSize, size.Bytes(64 << 10)},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: got %v, want %v", what, got[0], got[1])
		}
	}
}

func TestInboundsOfFlagsReplaceTheFiles(t *testing.T) {
	file := writeFile(t, `{"inbounds": [{"type": "tproxy", "tag": "a", "listen_port": 1}, {"type": "redirect", "tag": "b", "listen_port": 2}]}`)
	tags := func(args ...string) string {
		_, cmd := parseRun(t, append(args, "--config", file)...)
		var all []string
		for _, in := range cmd.inbounds() {
			all = append(all, in.Tag)
		}
		return strings.Join(all, ", ")
	}
	if got := tags(); got != "a, b" {
		t.Errorf("file: %s", got)
	}
	if got := tags("--tproxy", ":3"); got != "tproxy [::]:3" {
		t.Errorf("flag: %s", got)
	}
	if got := tags("--forward", ":6=10.0.0.5"); got != "direct [::]:6" {
		t.Errorf("flag: %s", got)
	}
	t.Setenv("SLUICE_REDIRECT", "10.0.0.1:4,:5")
	if got := tags(); got != "redirect 10.0.0.1:4, redirect [::]:5" {
		t.Errorf("environment: %s", got)
	}
	t.Setenv("SLUICE_FORWARD", ":7=10.0.0.5:80,tcp [fd00::1]:8=backend.example,udp")
	if got := tags(); got != "redirect 10.0.0.1:4, redirect [::]:5, direct [::]:7, direct [fd00::1]:8" {
		t.Errorf("environment: %s", got)
	}
}

func TestPrintedConfigGivesTheSame(t *testing.T) {
	ctx, cmd := parseRun(t, "--tproxy", ":1", "--tproxy-network", "udp", "--redirect", "[2001:db8::1]:2",
		"--forward", ":80=Backend.example", "--forward", "[2001:db8::1]:53=10.0.0.5:5353,udp", "--map", "80=50080,udp:53=5353",
		"--udp-timeout", "90s", "--pipe-size", "5000", "--buffer-size", "1MiB", "--allow-local", "--user", "nobody",
		"--install-rules", "--iface", "a,b", "--exclude", "10.0.0.0/8", "--exclude", "2001:db8::/32",
		"--exclude-uid", "7", "--priority=-140", "--dport", "53,400-500", "--fwmark", "0x4/0xff")
	printed := cmd.config(ctx).Print()
	ctx, cmd = parseRun(t, "--config", writeFile(t, string(printed)))
	if again := cmd.config(ctx).Print(); string(again) != string(printed) {
		t.Errorf("printed\n%s\nthen\n%s", printed, again)
	}
	for _, want := range []string{
		`"udp_timeout": "1m30s"`, `"pipe_size": "5000"`, `"buffer_size": "1MiB"`, `"priority": -140`,
		`"exclude_uid": [7]`, `"iface": ["a", "b"]`, `"install_rules": true`, `"listen": "2001:db8::1"`, `"network": ["udp"]`,
		`"override_address": "backend.example", "override_port": 80`, `"override_address": "10.0.0.5", "override_port": 5353`,
		`"map": ["80=50080", "udp:53=5353"]`,
	} {
		if !strings.Contains(string(printed), want) {
			t.Errorf("no %s in\n%s", want, printed)
		}
	}
}

// TestEveryFlagIsASetting: a new flag is a key and a variable without more ado.
func TestEveryFlagIsASetting(t *testing.T) {
	ctx, _ := parseRun(t, "--tproxy", ":1")
	keys := map[string]string{}
	for _, s := range settings(ctx.Selected()) {
		keys[s.flag.Name] = s.Path()
	}
	for _, flag := range ctx.Selected().Flags {
		onlyFlag := slices.Contains([]string{"redirect", "tproxy", "tproxy-network", "forward", "upstream", "upstream-password-file", "block", "direct", "config", "print-config", "detach"}, flag.Name)
		if (keys[flag.Name] != "") == onlyFlag {
			t.Errorf("--%s has the key %q", flag.Name, keys[flag.Name])
		}
		want := "SLUICE_" + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
		if flag.Name == "print-config" || flag.Name == "detach" {
			want = ""
		}
		if got := strings.Join(flag.Envs, " "); got != want {
			t.Errorf("--%s has the variable %q, want %q", flag.Name, got, want)
		}
	}
	for flag, want := range map[string]string{
		"udp-timeout": "udp_timeout", "install-rules": "install_rules", "exclude-uid": "rules.exclude_uid", "user": "user",
	} {
		if keys[flag] != want {
			t.Errorf("--%s: key %q, want %q", flag, keys[flag], want)
		}
	}
}
