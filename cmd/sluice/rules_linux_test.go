package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// rulesLine runs a command line and returns what it prints.
func rulesLine(t *testing.T, line string) (string, error) {
	t.Helper()
	var c struct {
		Rules RulesCmd `cmd:""`
	}
	var out bytes.Buffer
	parser, err := kong.New(&c, kong.Writers(&out, &out), kong.Exit(func(int) { t.Error("exit") }), kong.DefaultEnvars("SLUICE"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, err := parser.Parse(strings.Fields(line))
	if err == nil {
		err = ctx.Run()
	}
	return out.String(), err
}

func TestRulesPrint(t *testing.T) {
	for line, want := range map[string]string{
		"rules print --port 12345":                                                 "ip rule add fwmark 0x1/0x1 lookup 100",
		"rules print --port 12345 --format iptables --iface lan":                   "-A PREROUTING -i lan -j SLUICE",
		"rules print --port 7 --via redirect --format nft":                         "meta l4proto tcp counter name diverted redirect to :7",
		"rules print --port 7 --proto udp --format nft --dport 53,400-500":         "elements = { 53, 400-500 }",
		"rules print --port 7 --exclude 10.0.0.0/8 --exclude ::1":                  "elements = { ::1 }",
		"rules print --port 7 --iface lan --source client":                         "ct zone set 115",
		"rules print --port 7 --iface lan --source client --ct-own-mark 0x40/0x40": "ct mark set ct mark & 0xffffffbf ^ 0x00000040",
		"rules print --port 7 --source 203.0.113.5,2001:db8:5::5 --source gateway": "elements = { 2001:db8:5::5 }",
		"rules print --port 7 --via redirect --source client-address --format nft": "chain returning",
		"rules print --port 7 --source 203.0.113.5 --format iptables":              "-A PREROUTING -p udp -d 203.0.113.5 -m socket --transparent -j DIVERT",
		"rules print --port 7 --fwmark 0x40 --priority=-1 --output":                "meta mark set 0x00000040",
		"rules print --way lan1=1 --way lan2,ppp*=2":                               "iifname \"ppp*\" goto way2",
		"rules print --port 9 --way lan1=1,tcp --format iptables":                  "-i lan1 -j TPROXY --on-port 1 --tproxy-mark",
		"rules print --way lan1=1 --via redirect --format nft":                     "redirect to :1",
		"rules print --listener [2001:db8::1]:443,tcp":                             "ip6 daddr 2001:db8::1 tcp dport 443 socket transparent 1",
	} {
		if got, err := rulesLine(t, line); err != nil || !strings.Contains(got, want) {
			t.Errorf("%s: %v\n%s", line, err, got)
		}
	}
	for line, want := range map[string]string{
		"rules print":                                                        "--port",
		"rules print --way lan1":                                             `--way: way "lan1": want interfaces and the port`,
		"rules print --way lan=1 --proto tcp":                                "or --way lan1=12345,tcp",
		"rules print --way lan=1 --way la*=2":                                "way la*=2: la* arrives by way lan=1 already",
		"rules print --listener 192.0.2.1":                                   "--listener: listener",
		"rules print --port 0":                                               "no port: say where",
		"rules print --port 1 --exclude x":                                   `--exclude: "x": want a network`,
		"rules print --port 1 --exclude 10.0.0.1/8":                          "want 10.0.0.0/8",
		"rules print --port 1 --mark 0 --output":                             "--output needs a --mark",
		"rules print --port 1 --dport 9-1":                                   "--dport",
		"rules print --port 1 --fwmark 0":                                    "--fwmark",
		"rules print --port 1 --mark 3":                                      "own mark 0x3",
		"rules print --port 1 --via redirect --fail open":                    "--install-rules",
		"rules print --port 1 --via redirect --proto udp":                    "carries TCP alone",
		"rules print --port 1 --proto sctp":                                  "--proto",
		"rules print --port 1 --source me":                                   `source "me": want gateway, client`,
		"rules print --port 1 --source client":                               "name the interfaces where clients are",
		"rules print --port 1 --source-replies none":                         "--source-replies",
		"rules print --port 1 --source client --iface lan --format iptables": "iptables cannot ask for the mark",
	} {
		if _, err := rulesLine(t, line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
}

// TestRulesPrintJSON has both texts in JSON, as they are printed.
func TestRulesPrintJSON(t *testing.T) {
	program := buildProgram(t)
	for _, format := range []string{"nft", "iptables", "commands"} {
		args := []string{"rules", "print", "--port", "12345", "--iface", "lan0", "--format", format}
		var got printed
		if err := json.Unmarshal([]byte(output(t, program, append(args, "--json")...)), &got); err != nil {
			t.Fatal(err)
		}
		if want := (printed{format, output(t, program, args...), output(t, program, append(args, "--undo")...)}); got != want {
			t.Errorf("%s: %+v\nwant %+v", format, got, want)
		}
	}
}
