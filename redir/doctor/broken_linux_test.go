package doctor

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"sluice/redir/rules"
)

// brokenGateway is a way to break a gateway that carried traffic.
type brokenGateway struct {
	name   string
	breaks string // run in the gateway
	check  string // whose result tells
	status Status
	says   string
	// remedy is run in place of the one that doctor names, where that asks an
	// operator to decide; else it is empty.
	remedy   string
	redirect bool // carried by REDIRECT
	carries  bool // some traffic still passes
	byHand   bool // by rules that an operator wrote, which guard nothing

	noTrack     bool
	established rules.Established
}

// input is a firewall's chain at the input hook, with the rules given.
func input(rules string) string {
	return "nft -f - <<'X'\ntable inet fw {\n" + rules + "\n}\nX\n"
}

const inputHook = "type filter hook input priority filter;"

// ndp keeps IPv6's neighbour discovery alive, as any firewall has to.
const ndp = "meta l4proto ipv6-icmp accept\n"

var brokenGateways = []brokenGateway{
	{name: "policy drop of input", check: "rules of others", status: Fail, says: "chain inet fw input drops TCP and UDP of c0 over IPv4 and IPv6, by its policy",
		breaks: input("chain input { " + inputHook + " policy drop\n ct state established,related accept\n" + ndp + " tcp dport 22 accept\n }")},
	{name: "reject for an interface", check: "rules of others", status: Fail, says: `rejects TCP and UDP of c0 over IPv4 and IPv6: rule`,
		breaks: input("chain input { " + inputHook + "\n ct state established accept\n" + ndp + ` iifname "c0" reject with icmpx admin-prohibited` + "\n }")},
	{name: "drop in a chain that is jumped to", check: "rules of others", status: Fail, says: `in chain refuse, rule`,
		breaks: input("chain guest { udp dport { 53, 67 } accept\n" + ndp + " goto refuse\n }\n chain refuse { counter drop\n }\n chain input { " + inputHook + "\n ct state established accept\n" + ` iifname "c0" jump guest` + "\n }")},
	{name: "drop in a verdict map", check: "rules of others", status: Fail, says: `vmap`,
		breaks: input("chain input { " + inputHook + "\n ct state vmap { established : accept, related : accept, invalid : drop }\n" + ndp + ` iifname . meta l4proto vmap { "c0" . tcp : drop, "c0" . udp : drop, "s0" . tcp : accept }` + "\n }")},
	{name: "drop by a named set", check: "rules of others", status: Fail, says: `@guests`,
		breaks: input("set guests { type ifname\n flags interval\n elements = { \"c*\" }\n }\n chain input { " + inputHook + "\n ct state established accept\n" + ndp + " iifname @guests drop\n }")},
	{name: "limit of SYNs", check: "rules of others", status: Warn, says: "beyond the limit of rule", carries: true,
		breaks: input("chain syns { limit rate 25/second burst 50 packets return\n drop\n }\n chain input { " + inputHook + "\n tcp flags & (fin|syn|rst|ack) == syn jump syns\n }")},
	{name: "limit over a rate", check: "rules of others", status: Warn, says: "limit rate over 100/second", carries: true,
		breaks: input("chain input { " + inputHook + "\n ct state new limit rate over 100/second drop\n }")},
	{name: "drop of what is not tracked", established: rules.Divert, check: "rules of others", status: Fail, says: "(ct state invalid,untracked drop)",
		breaks: input("chain raw { type filter hook prerouting priority raw\n iifname c0 notrack\n }\n chain input { " + inputHook + "\n" + ndp + " ct state invalid,untracked drop\n }")},
	{name: "drop of what is invalid before it is tracked", check: "rules of others", status: Fail, says: "comes first and drops",
		breaks: input("chain raw { type filter hook prerouting priority raw\n" + ndp + ` iifname "c0" ct state invalid drop` + "\n }")},
	{name: "mark cleared later", byHand: true, check: "rules of others", status: Fail, says: "takes the mark from TCP and UDP of c0",
		breaks: input("chain mangle { type filter hook prerouting priority -140\n iifname \"c0\" meta mark set meta mark and 0xfffffff0\n }")},
	{name: "mark restored from a connection's", byHand: true, check: "rules of others", status: Fail, says: "takes the mark from TCP and UDP of c0",
		breaks: input("chain mangle { type filter hook prerouting priority -140\n ct mark set 0x100 meta mark set ct mark\n }")},
	{name: "another proxy's redirect later", check: "rules of others", status: Fail, says: "redirects TCP and UDP of c0",
		breaks: input("chain nat { type nat hook prerouting priority dstnat\n iifname \"c0\" meta l4proto { tcp, udp } redirect to :3128\n }")},
	{name: "DNAT of a port first", check: "rules of others", status: Warn, says: "comes first and rewrites destinations", carries: true,
		breaks: input("chain nat { type nat hook prerouting priority -160\n iifname \"c0\" tcp dport 80 dnat ip to 198.51.100.9\n }")},
	{name: "answers dropped", check: "own traffic", status: Fail, says: "answers of TCP and UDP to c0",
		breaks: input("chain output { type filter hook output priority filter\n" + ndp + " oifname \"c0\" drop\n }")},
	{name: "own packets dropped", check: "own traffic", status: Fail, says: "what sluice sends by TCP and UDP",
		breaks: input("chain output { type filter hook output priority filter\n policy drop\n" + ndp + " ct state established accept\n }")},
	{name: "answers of servers dropped", check: "own traffic", status: Fail, says: "what servers answer",
		breaks: input("chain input { " + inputHook + " policy drop\n" + ndp + " meta mark & 1 == 1 accept\n }")},
	{name: "untracked answers of servers dropped", noTrack: true, check: "own traffic", status: Fail, says: "what servers answer",
		breaks: input("chain input { " + inputHook + " policy drop\n" + ndp + " meta mark & 1 == 1 accept\n ct state established,related accept\n }")},
	{name: "untracked and translated", noTrack: true, check: "conntrack of diverted flows", status: Warn, says: "translates sources", carries: true,
		breaks: input("chain post { type nat hook postrouting priority srcnat\n oifname \"s0\" masquerade\n }"), remedy: "nft delete table inet fw"},
	{name: "INPUT of iptables-nft rejects", check: "rules of others", status: Fail, says: "chain ip filter INPUT rejects",
		breaks: "iptables -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT; iptables -A INPUT -i c0 -p tcp -j REJECT --reject-with tcp-reset; iptables -A INPUT -i c0 -j REJECT"},
	{name: "policy DROP of ip6tables-nft", check: "rules of others", status: Fail, says: "chain ip6 filter INPUT drops",
		breaks: "ip6tables -P INPUT DROP; ip6tables -A INPUT -p ipv6-icmp -j ACCEPT; ip6tables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT; ip6tables -A INPUT -p tcp -m multiport --dports 22,2222 -j ACCEPT"},
	{name: "ufw", check: "rules of others", status: Fail, says: "in chain ufw-not-local",
		breaks: `for x in ufw-before-input ufw-not-local; do iptables -N $x; done
			iptables -P INPUT DROP; iptables -A INPUT -j ufw-before-input; iptables -A ufw-before-input -i lo -j ACCEPT
			iptables -A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT; iptables -A ufw-before-input -j ufw-not-local
			iptables -A ufw-not-local -m addrtype --dst-type LOCAL -j RETURN; iptables -A ufw-not-local -m addrtype --dst-type MULTICAST -j RETURN
			iptables -A ufw-not-local -m addrtype --dst-type BROADCAST -j RETURN; iptables -A ufw-not-local -m limit --limit 3/min -j LOG; iptables -A ufw-not-local -j DROP`},
	{name: "redirected packets rejected", check: "rules of others", status: Fail, says: "rejects TCP of c0", redirect: true,
		breaks: input("chain input { " + inputHook + "\n ct state established accept\n" + ndp + " iifname \"c0\" tcp dport != 22 reject with tcp reset\n }")},
	{name: "ip_forward off", check: "forwarding", status: Fail, says: "ip_forward is 0", breaks: "sysctl -qw net.ipv4.ip_forward=0", carries: true},
	{name: "strict rp_filter", check: "rp_filter", status: Warn, says: "c0 is strict", breaks: "sysctl -qw net.ipv4.conf.c0.rp_filter=1", carries: true},
	{name: "src_valid_mark", byHand: true, check: "rp_filter", status: Fail, says: "follows the mark", breaks: "sysctl -qw net.ipv4.conf.all.src_valid_mark=1"},
	{name: "tcp_fwmark_accept", byHand: true, check: "kernel's marks", status: Fail, says: "tcp_fwmark_accept", breaks: "sysctl -qw net.ipv4.tcp_fwmark_accept=1"},
	{name: "fwmark_reflect", check: "kernel's marks", status: Warn, says: "fwmark_reflect", breaks: "sysctl -qw net.ipv4.fwmark_reflect=1 net.ipv6.fwmark_reflect=1", carries: true},
	{name: "rule missing", check: "rule and route", status: Fail, says: "missing", breaks: "ip rule del lookup 100; ip -6 rule del lookup 100"},
	{name: "route missing", check: "rule and route", status: Fail, says: "missing", breaks: "ip route flush table 100"},
	{name: "interface missing", check: "interfaces", status: Fail, says: "c0 does not exist", breaks: "ip link set c0 down; ip link set c0 name lan7",
		remedy: "ip link set lan7 name c0; ip link set c0 up; ip -6 addr add 2001:db8:1::1/64 dev c0 nodad 2>/dev/null || true"},
	{name: "port of a bridge", check: "interfaces", status: Fail, says: "is a port of the bridge br0", breaks: "ip link add br0 type bridge; ip link set br0 up; ip link set c0 master br0", carries: true,
		remedy: "ip link set c0 nomaster"},
	{name: "lo down", check: "interfaces", status: Fail, says: "lo is down", breaks: "ip link set lo down",
		remedy: "ip link set lo up; ip route replace local default dev lo table 100 proto 115; ip -6 route replace local default dev lo table 100 proto 115"},
	{name: "table of another", check: "rule and route", status: Fail, says: "is there and is not sluice's", breaks: "nft delete table inet sluice; nft add table inet sluice", carries: true,
		remedy: "nft delete table inet sluice; RULES"},
	{name: "nobody listens", check: "listeners", status: Fail, says: "nobody listens on tcp port", breaks: "STOP", remedy: "START"},
}

// TestGatewaysBrokenAndMended breaks gateways in each way: traffic stops (but
// where it only may), doctor names what does it, and once its remedy was run
// it complains no more and traffic flows.
func TestGatewaysBrokenAndMended(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	program := buildSluice(t)
	for _, b := range brokenGateways {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, program, b)
			g.carries("before")
			if r := g.look(b.check); r.Status != OK && r.Status != Note {
				t.Errorf("before: %v", r)
			}
			g.run(b.breaks)
			r := g.look(b.check)
			if r.Status != b.status || !strings.Contains(r.Detail, b.says) || r.Remedy == "" {
				t.Errorf("broken: want %s, %q, and a remedy:\n%v", b.status, b.says, r)
			}
			if strings.Contains(r.Remedy, "sudo") {
				t.Errorf("sudo for root: %v", r)
			}
			if strings.HasPrefix(r.Remedy, "sysctl") && !strings.Contains(r.Lasting, "/etc/sysctl.d/") {
				t.Errorf("no persistent form: %v", r)
			}
			if !b.carries && g.carried() {
				t.Error("broken, and yet all is carried")
			}
			if b.remedy != "" {
				r.Remedy = b.remedy
			}
			g.run(r.Remedy)
			if r := g.look(b.check); r.Status != OK && r.Status != Note {
				t.Errorf("mended: %v", r)
			}
			g.carries("mended")
		})
	}
}

// labGateway is a gateway that carries traffic of a client on c0.
type labGateway struct {
	*lab
	t       *testing.T
	program string
	broken  brokenGateway
	stop    func()
}

func newGateway(t *testing.T, program string, broken brokenGateway) *labGateway {
	t.Helper()
	l, err := newLab()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.close)
	stop, err := l.serve()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	g := &labGateway{l, t, program, broken, func() {}}
	t.Cleanup(func() { g.stop() })
	g.run("sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.c0.rp_filter=0; START; RULES")
	return g
}

// run is a script in the gateway, in which START and STOP are sluice's and
// RULES are its rules.
func (g *labGateway) run(script string) {
	g.t.Helper()
	if !strings.ContainsAny(script, "\n") {
		for command := range strings.SplitSeq(script, "; ") {
			g.command(command)
		}
		return
	}
	g.command(script)
}

func (g *labGateway) command(command string) {
	g.t.Helper()
	switch command {
	case "START":
		var err error
		if g.stop, err = g.startSluice(context.Background(), g.program, g.broken.redirect); err != nil {
			g.t.Fatal(err)
		}
	case "STOP":
		g.stop()
		g.stop = func() {}
	case "RULES":
		if g.broken.byHand {
			sh(g.t, g.gateway, rulesByHand)
			return
		}
		applying.Lock()
		defer applying.Unlock()
		if err := g.gateway.do(func() error {
			spec := rules.Spec{TCPPort: sluicePort, UDPPort: sluicePort, Ifaces: []string{"c0"}, Established: g.broken.established, NoTrack: g.broken.noTrack}
			if g.broken.redirect {
				spec.Via, spec.UDPPort = rules.Redirect, 0
			}
			_, err := rules.Apply(spec)
			return err
		}); err != nil {
			g.t.Fatal(err)
		}
	default:
		sh(g.t, g.gateway, command)
	}
}

// applying keeps tests that run at once from installing at once: the library
// numbers sets by a counter that it does not guard (allocSetID).
var applying sync.Mutex

// rulesByHand divert, and guard nothing.
const rulesByHand = `for f in -4 -6; do ip $f rule add fwmark 1/1 lookup 100; ip $f route add local default dev lo table 100; done
for t in iptables ip6tables; do
	$t -t mangle -A PREROUTING -i c0 -p tcp ! --syn -m socket --transparent -j MARK --set-mark 1/1
	$t -t mangle -A PREROUTING -i c0 -p tcp ! --syn -m socket --transparent -j ACCEPT
	$t -t mangle -A PREROUTING -i c0 -m addrtype --dst-type LOCAL -j ACCEPT
	for p in tcp udp; do $t -t mangle -A PREROUTING -i c0 -p $p -j TPROXY --on-port 12345 --tproxy-mark 1/1; done
done`

// TestGuardedGateways: with sluice's own rules, some of that does no harm, and
// doctor does not say that it did.
func TestGuardedGateways(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	program := buildSluice(t)
	harmless := []brokenGateway{{name: "iptables-nft takes the mark", check: "rules of others",
		breaks: "iptables -t mangle -A PREROUTING -i c0 -j MARK --set-xmark 0x0/0xffffffff"}}
	for _, b := range brokenGateways {
		if b.byHand {
			harmless = append(harmless, b)
		}
	}
	for _, b := range harmless {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			b.byHand = false
			g := newGateway(t, program, b)
			g.run(b.breaks)
			if r := g.look(b.check); r.Status != OK && r.Status != Note {
				t.Errorf("harmless, and yet %v", r)
			}
			g.carries("guarded")
		})
	}
}

func buildSluice(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "sluice")
	if out, err := exec.Command("go", "build", "-o", program, "sluice/cmd/sluice").CombinedOutput(); err != nil {
		t.Fatalf("cmd/sluice does not build: %v\n%s", err, out)
	}
	return program
}

// look is the result of one of doctor's checks.
func (g *labGateway) look(check string) (found Result) {
	g.t.Helper()
	_ = g.gateway.do(func() error {
		for _, r := range gatewayChecks([]string{"c0"}) {
			if r.Name == check {
				found = r
			}
		}
		return nil
	})
	if found.Name == "" {
		g.t.Fatalf("no check is called %s", check)
	}
	return found
}

// carried tells whether everything of both families is.
func (g *labGateway) carried() bool {
	for _, network := range []string{"tcp", "udp"} {
		if network == "udp" && g.broken.redirect {
			continue
		}
		for _, server := range []string{probeServer4, probeServer6} {
			if g.ask(network, server) != nil {
				return false
			}
		}
	}
	return true
}

func (g *labGateway) carries(when string) {
	g.t.Helper()
	if !g.carried() {
		g.t.Errorf("%s: not all is carried", when)
	}
}
