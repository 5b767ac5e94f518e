package rules

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
)

// TestBadSpecs: each error names the thing and what to do about it.
func TestBadSpecs(t *testing.T) {
	for want, spec := range map[string]Spec{
		"no port: say where":                      {},
		"via \"x\"":                               {TCPPort: 1, Via: "x"},
		"fail \"x\": want open":                   {TCPPort: 1, Fail: "x"},
		"established \"x\"":                       {TCPPort: 1, Established: "x"},
		"use --proto tcp":                         {UDPPort: 1, Via: Redirect},
		"use --established keep":                  {TCPPort: 1, Via: Redirect, Established: Divert},
		"interface lo: the gateway's own":         {TCPPort: 1, Ifaces: []string{"lo"}},
		"interface \"e*h\": want a name, or":      {TCPPort: 1, Ifaces: []string{"e*h"}},
		"interface *: that is every":              {TCPPort: 1, Oifaces: []string{"+"}},
		"interface l*: takes in lo":               {TCPPort: 1, Ifaces: []string{"l+"}},
		"holds the bits of the own mark 0x2":      {TCPPort: 1, Mark: 0xff, Mask: allBits},
		"conntrack mark 0x4/0x1: the mark must":   {TCPPort: 1, CTMark: 4, CTMask: 1},
		"conntrack mark 0x3: holds the bits":      {TCPPort: 1, CTMark: 3, CTMask: 3},
		"interface \"a;reboot\"":                  {TCPPort: 1, Ifaces: []string{"a;reboot"}},
		"1 to 15 characters":                      {TCPPort: 1, Ifaces: []string{"sixteencharacter"}},
		"ports 9-1: want a range":                 {TCPPort: 1, Dports: []PortRange{{9, 1}}},
		"write 10.0.0.0/8":                        {TCPPort: 1, Exclude: prefixes("10.1.0.0/8")},
		"write the IPv4 network":                  {TCPPort: 1, Include: prefixes("::ffff:10.0.0.0/104")},
		"exclude uid 7: only the":                 {TCPPort: 1, ExcludeUIDs: []uint32{7}},
		"exclude cgroup \"a\": only":              {TCPPort: 1, ExcludeCgroup: "a"},
		"path below the cgroup":                   {TCPPort: 1, Output: true, ExcludeCgroup: "/"},
		"within its mask":                         {TCPPort: 1, Mark: 2, Mask: 1},
		"own mark 0x3: falls under":               {TCPPort: 1, OwnMark: 3},
		"routing table 254: is the system's own":  {TCPPort: 1, Table: 254},
		"routing table -1: want a number":         {TCPPort: 1, Table: -1},
		"priority -200: the connection tracker":   {TCPPort: 1, Priority: ptr(-200)},
		"priority -300: the connection tracker":   {TCPPort: 1, Via: Redirect, Priority: ptr(-300)},
		"rule priority 0: the rule must stand":    {TCPPort: 1, RulePriority: ptr(0)},
		"as --rule-priority 90":                   {TCPPort: 1, RulePriority: ptr(32766)},
		"REDIRECT needs the connection tracker":   {TCPPort: 1, Via: Redirect, NoTrack: true},
		"would not be masqueraded":                {TCPPort: 1, Fail: Open, NoTrack: true},
		"as --iface lan0, or divert":              {UDPPort: 1, NoTrack: true},
		"leave --output or --notrack out":         {TCPPort: 1, Output: true, NoTrack: true},
		"leave --notrack out, or use --source":    {TCPPort: 1, NoTrack: true, Sources: Sources{Clients: true}},
		"use source client-address, or --tproxy":  {TCPPort: 1, Via: Redirect, Sources: Sources{Clients: true, Ports: true}},
		"as --iface lan0, or divert TCP alone":    {TCPPort: 1, UDPPort: 1, Sources: Sources{Clients: true}},
		"source 127.0.0.1: no address":            {TCPPort: 1, Sources: Sources{Addrs: []netip.Addr{netip.MustParseAddr("127.0.0.1")}}},
		"own conntrack mark 0x4/0x1":              {TCPPort: 1, CTOwn: 4, CTOwnMask: 1, Sources: Sources{Clients: true}},
		"shares bits with the conntrack mark":     {TCPPort: 1, CTOwn: 0x10000000, CTOwnMask: 0x30000000, Sources: Sources{Clients: true}},
		"own conntrack mark 0x3: holds":           {TCPPort: 1, CTOwn: 3, CTOwnMask: 3, Sources: Sources{Clients: true}},
		"destination: not a network: write it as": {TCPPort: 1, Include: make([]netip.Prefix, 1)},

		"way lan=2: lan arrives by way lan=1 already (lan, tcp): name it in one": {Ways: []Way{{Ifaces: []string{"lan"}, Port: 1, TCP: true, UDP: true}, {Ifaces: []string{"lan"}, Port: 2, TCP: true, UDP: true}}},
		"inbound b: iface: ppp0 arrives by inbound a: iface already (ppp*, udp)": {Ways: []Way{{Ifaces: []string{"ppp+"}, Port: 1, UDP: true, Name: "inbound a: iface"},
			{Ifaces: []string{"ppp0"}, Port: 2, TCP: true, UDP: true, Name: "inbound b: iface"}}},
		"way lan=1: redirect carries TCP alone: write it as lan=1,tcp, or": {Via: Redirect, Ways: []Way{{Ifaces: []string{"lan"}, Port: 1, TCP: true, UDP: true}}},
		"interface lan: each way has interfaces of its own":                {Ifaces: []string{"lan"}, Ways: []Way{{Ifaces: []string{"lan1"}, Port: 1, TCP: true}}},
		"output: the gateway's own traffic arrives by no interface":        {Output: true, Ways: []Way{{Ifaces: []string{"lan1"}, Port: 1, TCP: true}}},
		"output: the gateway's own traffic arrives by no interface: it":    {Output: true, Listeners: foreign()},
		"no interface: name those by which":                                {Ways: []Way{{Port: 1, TCP: true}}},
		"way lan=0: no port":                                               {Ways: []Way{{Ifaces: []string{"lan"}, TCP: true, UDP: true}}},
		"interface \"lo2;\": want a name":                                  {Ways: []Way{{Ifaces: []string{"lo2;"}, Port: 1, TCP: true}}},
		"listener 127.0.0.1:1: no address that traffic":                    {Listeners: []Listener{{netip.MustParseAddrPort("127.0.0.1:1"), true, true}}},
		"listener [::]:1: no address":                                      {Listeners: []Listener{{netip.MustParseAddrPort("[::]:1"), true, true}}},
		"listener 192.0.2.1:0: want a port":                                {Listeners: []Listener{{netip.MustParseAddrPort("192.0.2.1:0"), true, true}}},
	} {
		if _, err := NewPlan(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, have %v", want, err)
		}
	}
}

func TestParsePortRange(t *testing.T) {
	for text, want := range map[string]PortRange{"443": {443, 443}, "1-65535": {1, 65535}} {
		if got, err := ParsePortRange(text); got != want || err != nil {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "0", "x", "2-1", "1-", "65536", "1-2-3", "-1"} {
		if got, err := ParsePortRange(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestPrintRefusals(t *testing.T) {
	for want, print := range map[string]struct {
		spec   Spec
		format Format
	}{
		"track them apart":    {Spec{TCPPort: 1, Sources: Sources{Clients: true}}, FormatIPTables},
		"beside REDIRECT":     {Spec{TCPPort: 1, Via: Redirect, Sources: Sources{Clients: true}}, FormatIPTables},
		"fail open: iptables": {Spec{TCPPort: 1, Fail: Open}, FormatIPTables},
		"--notrack: iptables": {Spec{TCPPort: 1, NoTrack: true}, FormatIPTables},
		"--oiface: iptables":  {Spec{TCPPort: 1, Oifaces: []string{"wan"}}, FormatIPTables},
		"--between-ifaces":    {Spec{TCPPort: 1, Ifaces: []string{"a", "b"}}, FormatIPTables},
		"from one of these":   {Spec{TCPPort: 1, Ifaces: []string{"ppp*"}}, FormatIPTables},
		"--install-rules":     {Spec{TCPPort: 1, Via: Redirect, Fail: Open}, FormatNFT},
		"want nft, iptable":   {Spec{TCPPort: 1}, "json"},
	} {
		plan, err := NewPlan(print.spec)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := plan.Text(print.format); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, have %v", want, err)
		}
	}
}

// FuzzFacts: comments come from whoever wrote the table; none makes us touch
// a file outside of /proc/sys/net.
func FuzzFacts(f *testing.F) {
	f.Add("owner pid 1", "sysctl net/ipv4/ip_forward was 0 now 1", "policy 0x1/0x1 table 100")
	f.Add("owner pid 1", "policy 0x1/0x1 table 100 priority 90", "policy 1/1 table 1 priority -1")
	f.Add("owner operator", "sysctl ../etc/passwd was 0 now 1", "policy x table")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		facts, _ := parseFacts([]string{a, b, c})
		for _, s := range facts.Sysctls {
			if !strings.HasPrefix(s.Name, "net/") || strings.Contains(s.Name, "..") {
				t.Errorf("takes %q", s.Name)
			}
		}
	})
}

// TestFactsOfWays asserts that a table remembers its ways and listeners, which
// interfaces they come to, and the command.
func TestFactsOfWays(t *testing.T) {
	two := []Way{{Ifaces: []string{"lan1", "ppp*"}, Port: 1, TCP: true, UDP: true}, {Ifaces: []string{"lan2"}, Port: 2, UDP: true}}
	for command, spec := range map[string]Spec{
		"sluice rules install --way lan1,ppp*=1 --way lan2=2,udp and the other flags as before":                                                              {Ways: two},
		"sluice rules install --port 3 --proto tcp --iface lan --way lan1,ppp*=1 --way lan2=2,udp and the other flags as before":                             {TCPPort: 3, Ifaces: []string{"lan"}, Ways: two},
		"sluice rules install --listener 198.18.0.53:53,udp --listener 222.173.190.239:51966 --listener [2001:db8::5]:443,tcp and the other flags as before": {Listeners: foreign()},
	} {
		plan, err := NewPlan(spec)
		if err != nil {
			t.Fatal(err)
		}
		want := plan.facts("pid 7", nil)
		got, ok := parseFacts(want.comments())
		if !ok || !reflect.DeepEqual(got.Ways, want.Ways) || !reflect.DeepEqual(got.Listeners, want.Listeners) || !reflect.DeepEqual(got.In, want.In) || got.installCommand() != command {
			t.Errorf("%+v\nwant %+v\n%s", got, want, got.installCommand())
		}
	}
}

// TestParseWay: what is written is read, and what cannot be names the form.
func TestParseWay(t *testing.T) {
	for _, text := range []string{"lan1=12346", "lan1,ppp*=12346,tcp", "lan=1,udp"} {
		if w, err := ParseWay(text); err != nil || w.String() != text {
			t.Errorf("%q: %v, %v", text, w, err)
		}
	}
	for _, text := range []string{"192.0.2.1:443", "[2001:db8::5]:53,udp"} {
		if l, err := ParseListener(text); err != nil || l.String() != text {
			t.Errorf("%q: %v, %v", text, l, err)
		}
	}
	for _, text := range []string{"", "lan", "=1", "lan=", "lan=0", "lan=1,sctp", "lan=1,", "lan=x"} {
		if w, err := ParseWay(text); err == nil || !strings.Contains(err.Error(), "as lan1=12346") {
			t.Errorf("%q: %v, %v", text, w, err)
		}
	}
	for _, text := range []string{"", "192.0.2.1", ":443", "192.0.2.1:443,", "name:1", "192.0.2.1:443,sctp"} {
		if l, err := ParseListener(text); err == nil || !strings.Contains(err.Error(), "as 192.0.2.1:443") {
			t.Errorf("%q: %v, %v", text, l, err)
		}
	}
}

func TestFactsRoundTrip(t *testing.T) {
	want := Facts{Owner: "pid 7", TCPPort: 80, UDPPort: 80, Ifaces: []string{"lan", "ppp*"}, In: arrival{[]string{"lan", "ppp*"}, true, true}, Back: marks{3, 3},
		Policy: &policy{1, 3, 100, 7, arrival{[]string{"lan", "ppp*"}, true, true}, false, marks{3, 3},
			"sluice rules install --port 80 --iface lan --iface ppp* and the other flags as before"}, Sysctls: []Changed{{"net/ipv4/conf/eth0.1/src_valid_mark", "1", "0"}}}
	var comments []string
	for _, rule := range want.chain().rules {
		comments = append(comments, comment(commentData(string(rule[1].(commentTerm)))))
	}
	got, ok := parseFacts(comments)
	if !ok || got.Owner != want.Owner || got.TCPPort != 80 || got.UDPPort != 80 || !reflect.DeepEqual(got.Policy, want.Policy) || !reflect.DeepEqual(got.In, want.In) || got.Sysctls[0] != want.Sysctls[0] {
		t.Errorf("%+v", got)
	}
	for _, bad := range [][]byte{{0}, {0, 5}, {0, 5, 'a'}, {0, 255, 1}} {
		if comment(bad) != "" {
			t.Errorf("%v read", bad)
		}
	}
}
