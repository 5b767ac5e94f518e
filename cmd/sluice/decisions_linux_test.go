package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sluice/redir/rules"
)

// forwarding is a configuration with outbounds to forward (kernel) and to dial (own),
// and rules.
func forwarding(list string) func(rules, final string) string {
	return func(rules, final string) string {
		return `{"inbounds": [
				{"type": "tproxy", "tag": "lan", "listen_port": 4000},
				{"type": "tproxy", "tag": "guests", "listen_port": 4001, "iface": ["lan1", "ppp*"]},
				{"type": "redirect", "tag": "other", "listen_port": 4002}],
			"outbounds": [{"type": "direct", "tag": "own"}, {"type": "forward", "tag": "kernel"}],
			"route": {"rules": [` + rules + `], "final": "` + final + `",
				"rule_set": [{"type": "local", "tag": "networks", "format": "list", "path": "` + list + `"}]},
			"install_rules": true, "rules": {"sysctl": true}}`
	}
}

// TestDecisions: what the kernel decides of what the routes say, and what is refused
// says which condition it cannot know, and what would help.
func TestDecisions(t *testing.T) {
	list := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(list, []byte("192.0.2.0/24\n2001:db8::/32\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	named := list + ".names"
	if err := os.WriteFile(named, []byte("192.0.2.0/24\nexample.com\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	kernel := `"outbound": "kernel"}`
	for name, c := range map[string]struct{ list, rules, final, says string }{
		"none":        {list, `{"port": 80, "outbound": "own"}`, "own", "0:"},
		"one":         {list, `{"port": 80, ` + kernel, "own", "1: forward to_ports1 { 80 }"},
		"before":      {list, `{"port": 80, "outbound": "own"}, {"ip_cidr": "192.0.2.0/24", ` + kernel + `, {"domain": "a.example", "outbound": "own"}`, "own", "2: divert to_ports1 { 80 } forward to2_4 { 192.0.2.0/24 }"},
		"set":         {list, `{"rule_set": "networks", "source_ip_cidr": "10.0.0.0/8", ` + kernel, "own", "1: forward from1_4 { 10.0.0.0/8 } to1_4 { 192.0.2.0/24 }"},
		"inbound":     {list, `{"inbound": "guests", ` + kernel, "own", `1: forward by1_0 { "lan1", "ppp*" }`},
		"not inbound": {list, `{"inbound": "guests", "invert": true, ` + kernel, "own", `1: forward by1_0`},
		"rest":        {list, `{"inbound": "guests", "outbound": "own"}`, "kernel", "2: divert by1_0 { \"lan1\", \"ppp*\" } forward"},
		"rejected":    {list, `{"ip_is_private": true, "action": "reject"}`, "kernel", "2: divert to1_4 { 10.0.0.0/8"},

		"name":        {list, `{"domain": "a.example", ` + kernel, "own", `route.rules[0]: domain: asks for names, which the first packet does not show; outbound "kernel" leaves flows to the kernel`},
		"time":        {list, `{"time": "mon-fri 08:00-17:00", "outbound": "own"}, {"port": 80, ` + kernel, "own", `route.rules[0]: time: asks for what only sluice looks up; outbound "kernel" of route.rules[1] behind it leaves flows to the kernel, which knows the first packet alone: put that rule before`},
		"final":       {list, `{"domain": "a.example", "outbound": "own"}`, "kernel", "route.final leads to outbound \"kernel\""},
		"names":       {named, `{"rule_set": "networks", ` + kernel, "own", "route.rules[0]: rule_set networks: asks for names"},
		"no inbound":  {list, `{"inbound": "other", ` + kernel, "own", "inbound other: the rules divert nothing to it"},
		"other port":  {list, `{"port": 80, "override_port": 81, ` + kernel, "own", "override_port: the kernel forwards to the port"},
		"no list":     {list + ".no", `{"rule_set": "networks", ` + kernel, "own", "no such file"},
		"no list yet": {list + ".no", `{"rule_set": "networks", "outbound": "own"}`, "own", "0:"},
	} {
		t.Run(name, func(t *testing.T) {
			path := writeFile(t, forwarding(c.list)(c.rules, c.final))
			ctx, err := parse([]string{"run", "--config", path})
			if err != nil {
				t.Fatal(err)
			}
			said := ""
			if err := runOf(ctx).validateRun(); err != nil {
				said = err.Error()
			} else {
				said = decisionText(t, runOf(ctx))
			}
			if !strings.Contains(said, c.says) {
				t.Errorf("%q, want %q", said, c.says)
			}
		})
	}
	path := writeFile(t, strings.Replace(forwarding(list)(`{"port": 80, `+kernel, "own"), `"install_rules": true`, `"install_rules": false`, 1))
	for _, line := range []string{"run --config " + path, "check " + path} {
		ctx, err := parse(strings.Fields(line))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(line, "run") {
			err = runOf(ctx).validateRun()
		} else {
			err = ctx.Run()
		}
		if err == nil || !strings.Contains(err.Error(), `outbound "kernel": forward leaves flows to the kernel, by the rules that sluice installs: add --install-rules`) {
			t.Errorf("%s: %v", line, err)
		}
	}
	if text, err := rulesLine(t, "rules print --format nft --config "+path); err != nil || !strings.Contains(text, "th dport @to_ports1 goto left") {
		t.Errorf("%v\n%s", err, text)
	}
}

// decisionText is the decisions, and the sets of each as the rules have them.
func decisionText(t *testing.T, cmd *runCmd) string {
	spec, err := cmd.spec()
	if err != nil {
		t.Fatal(err)
	}
	plan, err := rules.NewPlan(spec)
	if err != nil {
		t.Fatal(err)
	}
	printed, err := plan.Text(rules.FormatNFT)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprint(len(spec.Decisions), ":")
	for i, d := range spec.Decisions {
		verdict := "divert"
		if d.Forward {
			verdict = "forward"
		}
		text += " " + verdict
		for _, name := range []string{fmt.Sprintf("by%d_0", i+1), fmt.Sprintf("from%d_4", i+1), fmt.Sprintf("to%d_4", i+1), fmt.Sprintf("to_ports%d", i+1)} {
			_, set, found := strings.Cut(printed, "\tset "+name+" {")
			if _, elements, _ := strings.Cut(set, "elements = "); found {
				elements, _, _ = strings.Cut(elements, "\n")
				text += " " + name + " " + elements
			}
		}
	}
	return text
}

// TestReloadDecisions: a running sluice that is confined reads its networks again,
// and what cannot be is refused and changes nothing.
func TestReloadDecisions(t *testing.T) {
	list := filepath.Join(t.TempDir(), "list")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(list, "192.0.2.0/24\n")
	file := forwarding(list)
	path := writeFile(t, file(`{"rule_set": "networks", "outbound": "kernel"}`, "own"))
	program := buildProgram(t)
	r := startRun(t, program, "--config", path)
	r.told("READY=1")
	reload := func(says ...string) (line map[string]any) {
		t.Helper()
		r.signal(syscall.SIGHUP)
		for _, message := range says {
			line = r.logged(message)
		}
		r.told("RELOADING=1")
		r.told("READY=1")
		return line
	}
	expect := func(want string) {
		t.Helper()
		if got := r.inside("nft", "list", "table", "inet", "sluice"); !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	expect("elements = { 192.0.2.0/24 }")
	write(list, "198.51.100.0/24\n2001:db8::/32\n")
	reload("a rule set is read", "reloaded, no setting is different")
	expect("elements = { 198.51.100.0/24 }")
	expect("elements = { 2001:db8::/32 }")
	write(path, file(`{"domain": "a.example", "outbound": "kernel"}`, "own"))
	if line := reload("reload refused, nothing changed"); !strings.Contains(fmt.Sprint(line["error"]), "domain: asks for names") {
		t.Errorf("%v", line)
	}
	expect("elements = { 198.51.100.0/24 }")
	if got := r.inside(program, "rules", "status"); !strings.Contains(got, "decisions: 1, by which the kernel forwards some of it\n") {
		t.Errorf("status:\n%s", got)
	}
	r.stop()
}

// TestDecisionsByHand: rules that were installed by hand for a file serve a sluice
// that runs by it.
func TestDecisionsByHand(t *testing.T) {
	program := buildProgram(t)
	path := writeFile(t, strings.Replace(forwarding(writeFile(t, "192.0.2.0/24\n"))(`{"port": 80, "outbound": "kernel"}`, "own"),
		`"install_rules": true`, `"install_rules": false`, 1))
	r := startRun(t, program, "--tproxy", ":4000")
	r.told("READY=1")
	check := func() string { return r.inside("sh", "-c", program+" check "+path+" 2>&1 || true") }
	if got := check(); !strings.Contains(got, "sluice rules install --config FILE") {
		t.Error(got)
	}
	r.inside("sh", "-c", program+" rules install --config "+path+" 2>&1")
	if got := check(); !strings.Contains(got, ": ok") {
		t.Error(got)
	}
	r.stop()
}
