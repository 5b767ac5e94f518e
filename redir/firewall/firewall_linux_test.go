package firewall

import (
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// load reads a ruleset that a shell made in a network namespace of its own.
func load(t *testing.T, script string) *Ruleset {
	t.Helper()
	ruleset := Decode(dumpOf(t, script))
	return ruleset
}

func dumpOf(t testing.TB, script string) []byte {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	type answer struct {
		dump []byte
		err  error
	}
	answers := make(chan answer)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread, and the namespace, end with the goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			answers <- answer{nil, err}
			return
		}
		cmd := exec.Command("sh", "-ec", script)
		if out, err := cmd.CombinedOutput(); err != nil {
			answers <- answer{nil, errors.New(string(out) + err.Error())}
			return
		}
		dump, err := ReadDump()
		answers <- answer{dump, err}
	}()
	a := <-answers
	if a.err != nil {
		t.Fatal(a.err)
	}
	return a.dump
}

// nft is a script that loads the text.
func nft(text string) string { return "nft -f - <<'X'\n" + text + "\nX\n" }

// diverted are packets of a client on lan, by the default mark.
func diverted(protocol byte, isNew bool) Packet {
	return Packet{Protocol: protocol, New: isNew, In: Device{"lan", 7}, Out: NoDevice,
		ConnMark: Exactly(0), Mark: Exactly(0), FWMark: 1, FWMask: 1,
		Source: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, Elsewhere: append(Undiverted(), netip.MustParsePrefix("192.0.2.1/32"))}
}

// TestWhatStops walks one thing at a time: packets of 192.0.2.0/24 on lan.
func TestWhatStops(t *testing.T) {
	const none = ""
	for name, c := range map[string]struct {
		rules    string // of an input chain of table inet fw; with a newline, the table's content
		tcp, udp string // what stops a first packet: act, amount
	}{
		"nothing":              {"ct state invalid drop; iifname wan drop; ip saddr 203.0.113.0/24 drop; icmp type echo-request drop", none, none},
		"accept before":        {"iifname lan accept; drop", none, none},
		"protocol":             {"meta l4proto tcp drop; ip protocol udp reject", "drops all", "rejects all"},
		"own network":          {"ip saddr 192.0.2.0/24 drop", "drops all", "drops all"},
		"not own network":      {"ip saddr != 192.0.2.0/24 drop", none, none},
		"gateway's address":    {"ip daddr 192.0.2.1 drop; ip daddr 224.0.0.0/4 drop; ip daddr & 240.0.0.0 == 224.0.0.0 drop", none, none},
		"half the addresses":   {"ip daddr 0.0.0.0/1 drop", "drops some", "drops some"},
		"an address type":      {"fib daddr type local accept; drop", "drops all", "drops all"},
		"way back":             {"fib saddr . iif oif missing drop", none, none},
		"few ports":            {"tcp dport 22 drop; udp dport { 53, 67 } drop", "drops few", "drops few"},
		"all but few ports":    {"th dport != 22 drop", "drops most", "drops most"},
		"few ports accepted":   {"th dport { 22, 53, 67 } accept; drop", "drops most", "drops most"},
		"the web's ports":      {"tcp dport { 80, 443 } drop; udp dport 443 drop", "drops some", "drops some"},
		"ranges of ports":      {"tcp dport 1-65535 drop; udp dport >= 1024 drop", "drops most", "drops most"},
		"other mark":           {"meta mark & 0xf0 == 0x10 drop; meta mark 1 accept; drop", none, none},
		"mark in a set":        {"meta mark { 1, 2 } drop", "drops all", "drops all"},
		"state in a set":       {"ct state { established, related } accept; ct state new drop", "drops all", "drops all"},
		"state, negated":       {"ct state != new accept; ct direction reply accept; drop", "drops all", "drops all"},
		"flags":                {"tcp flags & (fin|syn|rst|ack) != syn accept; tcp flags syn drop", "drops all", none},
		"limit":                {"limit rate 10/second accept; drop", "drops some beyond", "drops some beyond"},
		"limit over":           {"limit rate over 10/second drop", "drops some beyond", "drops some beyond"},
		"connections":          {"ct count over 10 drop", "drops some beyond", "drops some beyond"},
		"packet type":          {"pkttype { broadcast, multicast } drop; pkttype host drop", "drops all", "drops all"},
		"interface by index":   {"iif lo accept; iif != lo drop", "drops all", "drops all"},
		"unknown length":       {"meta length > 1000 drop", "drops some", "drops some"},
		"return":               {"meta l4proto udp return; drop", "drops all", none},
		"order of bytes":       {"meta mark & 0x3 < 0x2 drop", "drops all", "drops all"},
		"marked by the rule":   {"meta mark set 0x11; meta mark 0x11 drop", "drops all", "drops all"},
		"connection's mark":    {"ct mark set 0x5; ct mark 0x5 drop", "drops all", "drops all"},
		"map of marks":         {"meta mark set meta l4proto map { tcp : 0x3, udp : 0x1 }; meta mark 3 drop", "drops all", none},
		"verdict map":          {"meta l4proto vmap { tcp : drop, udp : accept }; drop", "drops all", none},
		"verdicts of ports":    {"th dport vmap { 22 : accept, 23 : accept }; drop", "drops most", "drops most"},
		"verdict map, default": {"th dport vmap { 22 : accept, * : drop }", "drops most", "drops most"},
		"concatenation":        {"iifname . th dport { lan . 1-65535 } drop; iifname . meta l4proto { wan . udp } drop", "drops most", "drops most"},
		"own set":              {"set s {\ntype ifname\nelements = { lan, dmz }\n}\nchain in {\ntype filter hook input priority 0\niifname @s drop\n}", "drops all", "drops all"},
		"intervals":            {"set s {\ntype ipv4_addr\nflags interval\nelements = { 192.0.0.0/16, 10.0.0.1 }\n}\nchain in {\ntype filter hook input priority 0\nip saddr @s drop\n}", "drops all", "drops all"},
		"last interval":        {"set s {\ntype ipv4_addr\nflags interval\nelements = { 128.0.0.0/1 }\n}\nchain in {\ntype filter hook input priority 0\nip saddr @s drop\n}", "drops all", "drops all"},
		"jump and goto":        {"chain c {\naccept\n}\nchain b {\ngoto c\n}\nchain a {\njump b\ndrop\n}\nchain in {\ntype filter hook input priority 0\njump a\n}", none, none},
		"goto ends the chain":  {"chain b {\nmeta l4proto udp accept\n}\nchain in {\ntype filter hook input priority 0; policy drop\ngoto b\naccept\n}", "drops all", none},
		"dynamic set":          {"set s {\ntype ipv4_addr\nflags dynamic\n}\nchain in {\ntype filter hook input priority 0\nadd @s { ip saddr limit rate over 3/second } drop\n}", "drops some beyond", "drops some beyond"},
		"two chains":           {"chain one {\ntype filter hook input priority 0\naccept\n}\nchain two {\ntype filter hook input priority 5\nmeta mark 1 drop\n}", "drops all", "drops all"},
		"NAT of one port":      {"chain n {\ntype nat hook prerouting priority dstnat\ntcp dport 8080 redirect to :3128\nudp dport 443 dnat ip to 10.0.0.1\n}", "redirects few", "rewrites destinations of some"},
		"port forward":         {"chain n {\ntype nat hook prerouting priority dstnat\nip daddr 192.0.2.1 dnat ip to 10.0.0.1\niifname wan redirect\n}", none, none},
		"mark kept":            {"chain n {\ntype filter hook prerouting priority 0\nmeta mark set meta mark | 0x10\nmeta mark set meta mark & 0xff\n}", none, none},
		"mark lost":            {"chain n {\ntype filter hook prerouting priority 0\nmeta l4proto udp meta mark set 0x10\n}", none, "takes the mark from all"},
		"mark perhaps lost":    {"chain n {\ntype filter hook prerouting priority 0\nip dscp 8 meta mark set 0x10\n}", "takes the mark from some", "takes the mark from some"},
		"before diversion":     {"chain n {\ntype filter hook prerouting priority -300\nmeta mark set 0x10\nct state invalid drop\n}", "drops all", "drops all"},
	} {
		t.Run(name, func(t *testing.T) {
			table := c.rules
			if !strings.Contains(table, "\n") {
				table = "chain in {\ntype filter hook input priority 0\n" + strings.ReplaceAll(table, "; ", "\n") + "\n}"
			}
			r := load(t, "ip link set lo up; "+nft("table inet fw {\n"+table+"\n}"))
			for protocol, want := range map[byte]string{protoTCP: c.tcp, protoUDP: c.udp} {
				if got := stops(r.Divert(diverted(protocol, true), r.OwnTable("sluice"), 0)); got != want {
					t.Errorf("protocol %d: %q, want %q", protocol, got, want)
				}
			}
		})
	}
}

// stops is the worst of a way.
func stops(way Way) (worst string) {
	amount := None
	for _, s := range way.Steps {
		for _, stop := range s.Stops {
			if stop.Amount > amount {
				amount = stop.Amount
				worst = stop.Act + " " + [...]string{"none", "few", "some", "most", "all"}[stop.Amount]
				if stop.Limit != nil {
					worst += " beyond"
				}
			}
		}
	}
	return worst
}

// TestWhatIPTablesStops: matches and targets of xtables.
func TestWhatIPTablesStops(t *testing.T) {
	for name, c := range map[string]struct{ rules, tcp, udp string }{
		"states":      {"INPUT -m conntrack --ctstate NEW -j DROP", "drops all", "drops all"},
		"old states":  {"INPUT -m state --state ESTABLISHED,INVALID -j DROP", "", ""},
		"not a state": {"INPUT -m conntrack ! --ctstate ESTABLISHED,RELATED,DNAT -j REJECT", "rejects all", "rejects all"},
		"direction":   {"INPUT -m conntrack --ctdir REPLY -j DROP", "", ""},
		"mark":        {"INPUT -m mark ! --mark 1/1 -j DROP", "", ""},
		"ports":       {"INPUT -p tcp -m multiport --dports 22,8000:9000 -j DROP", "drops few", ""},
		"not ports":   {"INPUT -p udp -m udp ! --dport 53 -j DROP", "", "drops most"},
		"SYN":         {"INPUT -p tcp --syn -j DROP", "drops all", ""},
		"no SYN":      {"INPUT -p tcp ! --syn -j DROP", "", ""},
		"address":     {"INPUT -m addrtype ! --dst-type LOCAL -j DROP", "drops all", "drops all"},
		"hashlimit":   {"INPUT -m hashlimit --hashlimit-above 4/sec --hashlimit-name a -j DROP", "drops some beyond", "drops some beyond"},
		"socket":      {"INPUT -p tcp -m socket --transparent -j DROP", "", ""},
		"packet type": {"INPUT -m pkttype --pkt-type multicast -j DROP", "", ""},
		"no mark":     {"PREROUTING -t mangle -j MARK --set-xmark 0/0xff", "takes the mark from all", "takes the mark from all"},
		"other mark":  {"PREROUTING -t mangle -j MARK --set-xmark 0x100/0xff00", "", ""},
		"restored":    {"PREROUTING -t mangle -j CONNMARK --restore-mark", "takes the mark from all", "takes the mark from all"},
		"some bits":   {"PREROUTING -t mangle -j CONNMARK --restore-mark --nfmask 0xff00 --ctmask 0xff00", "", ""},
		"saved":       {"PREROUTING -t mangle -j CONNMARK --save-mark", "", ""},
		"a listener":  {"PREROUTING -t mangle -p udp -j TPROXY --on-port 5 --tproxy-mark 1/1", "", "hands to another listener all"},
		"redirect":    {"PREROUTING -t nat -p tcp --dport 443 -j REDIRECT --to-ports 5", "redirects some", ""},
		"DNAT":        {"PREROUTING -t nat -p udp -j DNAT --to 10.0.0.1", "", "rewrites destinations of all"},
		"a comment":   {"INPUT -m comment --comment hello -j DROP", "drops all", "drops all"},
		"not known":   {"INPUT -m string --algo bm --string x -j DROP", "drops some", "drops some"},
	} {
		t.Run(name, func(t *testing.T) {
			// The mark is restored after diversion alone: chains of one priority.
			r := load(t, "iptables -A "+c.rules)
			for protocol, want := range map[byte]string{protoTCP: c.tcp, protoUDP: c.udp} {
				if got := stops(r.Divert(diverted(protocol, true), func(*Chain) bool { return false }, 0)); got != want {
					t.Errorf("protocol %d: %q, want %q: %v", protocol, got, want, r.chains[0].Rules)
				}
			}
		})
	}
}

// TestDivertMark: the mark and its mask are read from the rules.
func TestDivertMark(t *testing.T) {
	r := load(t, nft(`table ip mine {
		chain pre { type filter hook prerouting priority -140
			meta l4proto tcp jump deliver
		}
		chain deliver { meta l4proto tcp tproxy to :5 meta mark set meta mark & 0xffffff0f | 0x30 accept
		}
	}`))
	if mark, mask := r.DivertMark(r.OwnTable("sluice")); mark != 0x30 || mask != 0xf0 {
		t.Errorf("%#x/%#x, want 0x30/0xf0", mark, mask)
	}
}

// TestCounter reads one counter.
func TestCounter(t *testing.T) {
	if _, err := Counter("no such table", "diverted"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v, want that there is none", err)
	}
}
