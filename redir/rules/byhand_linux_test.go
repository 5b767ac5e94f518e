package rules

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// pasteable are the specs that the format can express, as the real tools take
// them.
func pasteable(format Format) map[string]Spec {
	all := map[string]Spec{}
	for name, spec := range specs() {
		if plan, err := NewPlan(spec); err != nil || format == FormatIPTables && spec.Fail == Open {
			continue
		} else if _, err := plan.Text(format); err != nil {
			continue
		}
		if spec.Sysctl = false; len(spec.ExcludeUIDs) > 0 { // xt_owner takes users of the user namespace alone
			spec.ExcludeUIDs = []uint32{0}
		}
		all[name] = spec
	}
	return all
}

// paste does what an operator does with the printed text: the commands in
// comments beside an nft file included.
func (n *netns) paste(format Format, text string) {
	n.t.Helper()
	if format != FormatNFT {
		n.sh(text)
		return
	}
	n.sh("nft -f - <<'END'\n" + text + "END\n" + commandsBeside(text))
}

// commandsBeside are those between "beside it, in a shell" and what is no comment.
func commandsBeside(text string) string {
	_, beside, _ := strings.Cut(text, "# beside it, in a shell:\n")
	var commands []string
	for line := range strings.Lines(beside) {
		command, ok := strings.CutPrefix(line, "#   ")
		if !ok {
			break
		}
		commands = append(commands, strings.TrimPrefix(command, "#   "))
	}
	return strings.Join(commands, "")
}

// withBaseChains makes the tables that iptables-nft makes when it is first
// asked, and never takes away.
func withBaseChains(t *testing.T) *netns {
	n := newNetns(t)
	n.sh(`ip link add lan type veth peer name nal; ip addr add 192.0.2.1/24 dev lan; ip link set lan up
		for c in iptables ip6tables; do for t in mangle nat; do $c -t $t -S; for h in PREROUTING OUTPUT POSTROUTING; do $c -t $t -A $h -j RETURN; $c -t $t -D $h -j RETURN; done; done; $c -t mangle -A FORWARD -j RETURN; $c -t mangle -D FORWARD -j RETURN; done >/dev/null`)
	return n
}

func (n *netns) status() (s Status) {
	n.t.Helper()
	n.do(func() {
		var err error
		if s, err = ReadStatus(); err != nil {
			n.t.Error(err)
		}
	})
	return s
}

func (n *netns) remove() (left []string) {
	n.t.Helper()
	n.do(func() {
		var err error
		if left, err = Remove(); err != nil {
			n.t.Error(err)
		}
	})
	return left
}

// TestPastedIsKnown pastes what is printed, in each format: status says that
// it is there, remove takes it away, and so does the printed undo.
func TestPastedIsKnown(t *testing.T) {
	for _, format := range []Format{FormatNFT, FormatCommands, FormatIPTables} {
		for name, spec := range pasteable(format) {
			t.Run(string(format)+" "+name, func(t *testing.T) {
				t.Parallel()
				n := withBaseChains(t)
				before := n.listed()
				text := mustText(t, spec, format)
				n.paste(format, text)
				status := n.status()
				if !status.Complete() || status.Owner != ownerOperator || status.TCPPort != spec.TCPPort || status.UDPPort != spec.UDPPort || len(status.Others) > 0 {
					t.Errorf("status: %+v\n%s", status, status)
				}
				if left := n.remove(); len(left) > 0 {
					t.Errorf("remove left %q", left)
				}
				if diff := differ(before, n.listed()); diff != "" {
					t.Errorf("remove left:\n%s", diff)
				}
				n.paste(format, text)
				plan, err := NewPlan(spec)
				if err != nil {
					t.Fatal(err)
				}
				undo, err := plan.Undo(format)
				if err != nil {
					t.Fatal(err)
				}
				n.paste(format, undo)
				if diff := differ(before, n.listed()); diff != "" {
					t.Errorf("undo left:\n%s", diff)
				}
				if _, end, _ := strings.Cut(text, "# to undo it: sluice rules remove, or\n"); end != asComments(undo) {
					t.Errorf("the end of the text is\n%s\nthe undo is\n%s", end, undo)
				}
			})
		}
	}
}

// TestPastedInParts: what is missing of pasted rules is named.
func TestPastedInParts(t *testing.T) {
	for name, c := range map[string]struct {
		drop, says string
	}{
		"IPv6":         {"ip6tables -t mangle -F", "missing: ip6tables rules"},
		"the jump":     {"iptables -t mangle -F PREROUTING", "missing: iptables rules"},
		"a rule":       {"ip -6 rule del pref 90", "fault: ip -6: a rule or route is missing  ->  ip -6 rule add fwmark 0x1/0x1 lookup 100 priority 90"},
		"a route":      {"ip route flush table 100", "fault: ip: a rule or route is missing  ->  ip route add local default dev lo table 100"},
		"all routing":  {"for f in -4 -6; do ip $f rule del pref 90; ip $f route flush table 100; done", "ip -6: a diverted packet from lan is not delivered here"},
		"what it does": {"iptables -t mangle -F SLUICE_TARGET", "missing: iptables rules"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := withBaseChains(t)
			n.sh(mustText(t, Spec{TCPPort: 12345, UDPPort: 12345, Ifaces: []string{"lan"}}, FormatIPTables))
			n.sh(c.drop)
			if s := n.status(); s.Complete() || !strings.Contains(s.String(), c.says) {
				t.Errorf("status:\n%s", s)
			}
		})
	}
}

// readmeIPTables is what README's "TPROXY by hand" says.
const readmeIPTables = `for c in iptables ip6tables; do
	$c -t mangle -N DIVERT
	$c -t mangle -A DIVERT -j MARK --set-mark 0x1/0x1
	$c -t mangle -A DIVERT -j ACCEPT
	$c -t mangle -A PREROUTING -i lan -p tcp ! --syn -m socket --transparent -j DIVERT
	$c -t mangle -A PREROUTING -i lan -p tcp -j TPROXY --on-port 12345 --tproxy-mark 0x1/0x1
	$c -t mangle -A PREROUTING -i lan -p udp -j TPROXY --on-port 12345 --tproxy-mark 0x1/0x1
done
ip rule add fwmark 0x1/0x1 lookup 100; ip route add local default dev lo table 100
ip -6 rule add fwmark 0x1/0x1 lookup 100; ip -6 route add local default dev lo table 100`

// TestOthersAreSeen: rules of others that deliver to a port are shown, with
// their port, and remove leaves them and says so.
func TestOthersAreSeen(t *testing.T) {
	for name, c := range map[string]struct {
		setup string
		port  uint16
		says  []string
	}{
		"iptables of README": {readmeIPTables, 12345, []string{"iptables -t mangle chain PREROUTING: tproxy to port 12345, mark 0x1/0x1", "ip6tables -t mangle chain PREROUTING: tproxy to port 12345"}},
		"nft tproxy": {`nft add table inet divert; nft 'add chain inet divert pre { type filter hook prerouting priority mangle; }'
			nft add rule inet divert pre meta l4proto '{ tcp, udp }' meta mark set 0x40 tproxy to :777 accept`, 777,
			[]string{"table inet divert chain pre: tproxy to port 777, mark 0x40/0xffffffff"}},
		"nft tproxy, masked": {`nft add table ip divert; nft 'add chain ip divert pre { type filter hook prerouting priority mangle; }'
			nft add rule ip divert pre meta l4proto tcp meta mark set meta mark or 0x8 tproxy to 127.0.0.1:778`, 778,
			[]string{"table ip divert chain pre: tproxy to port 778, mark 0x8/0x8"}},
		"nft redirect": {`nft add table ip6 mine; nft 'add chain ip6 mine pre { type nat hook prerouting priority dstnat; }'
			nft add rule ip6 mine pre tcp dport 80 redirect to :8080`, 8080,
			[]string{"table ip6 mine chain pre: redirect to port 8080"}},
		"iptables redirect": {`iptables -t nat -A PREROUTING -p tcp -j REDIRECT --to-ports 8080; ip6tables -t nat -A PREROUTING -p tcp -j REDIRECT --to-ports 8081`, 8080,
			[]string{"iptables -t nat chain PREROUTING: redirect to port 8080", "ip6tables -t nat chain PREROUTING: redirect to port 8081"}},
		"another's chain": {`iptables -t mangle -N MINE; iptables -t mangle -A MINE -p tcp -j TPROXY --on-port 9 --tproxy-mark 0x5; iptables -t mangle -A PREROUTING -j MINE`, 9,
			[]string{"iptables -t mangle chain MINE: tproxy to port 9, mark 0x5/0xffffffff"}},
	} {
		t.Run(name, func(t *testing.T) {
			n := withBaseChains(t)
			n.sh(c.setup)
			before := n.listed()
			status := n.status()
			if status.Installed || !begin(status.Others, c.says) {
				t.Errorf("others: %q", status.Others)
			}
			if left := n.remove(); len(left) < len(c.says) {
				t.Errorf("left %q", left)
			}
			n.sh(mustText(t, Spec{TCPPort: c.port, Ifaces: []string{"lan"}, Mark: 0x100, Mask: 0x100, Table: 321}, FormatCommands))
			if left := n.remove(); !slices.ContainsFunc(left, func(line string) bool { return strings.HasPrefix(line, c.says[0]) }) {
				t.Errorf("left %q", left)
			}
			if diff := differ(before, n.listed()); diff != "" {
				t.Errorf("remove changed:\n%s", diff)
			}
		})
	}
}

// begin tells whether each text begins one of the deliveries.
func begin(all []Delivery, texts []string) bool {
	for _, text := range texts {
		if !slices.ContainsFunc(all, func(d Delivery) bool { return strings.HasPrefix(d.String(), text) }) {
			return false
		}
	}
	return true
}

// TestDivertOfOthersStays: the kernel document's chain is not ours alone.
func TestDivertOfOthersStays(t *testing.T) {
	n := withBaseChains(t)
	n.sh(mustText(t, Spec{TCPPort: 12345, Ifaces: []string{"lan"}}, FormatIPTables))
	n.sh("iptables -t mangle -A PREROUTING -i nal -p tcp -m socket --transparent -j DIVERT")
	n.remove()
	if now := n.sh("iptables -t mangle -S"); !strings.Contains(now, "-A DIVERT -j ACCEPT") || strings.Contains(now, "SLUICE") {
		t.Errorf("left:\n%s", now)
	}
	if now := n.sh("ip6tables -t mangle -S"); strings.Contains(now, "DIVERT") {
		t.Errorf("left:\n%s", now)
	}
}

// TestLegacyIsNamed: what iptables-legacy has cannot be seen, and both say so.
func TestLegacyIsNamed(t *testing.T) {
	n := newNetns(t)
	if _, err := n.try("iptables-legacy -t mangle -S >/dev/null"); err != nil {
		n.sh("! iptables-legacy --version >/dev/null 2>&1 || ! modprobe -n iptable_mangle 2>/dev/null") // has neither
		return
	}
	const command = "iptables-legacy -t mangle -S"
	if s := n.status(); !slices.Contains(s.Unseen, command) || !strings.Contains(s.String(), command) {
		t.Errorf("status:\n%s", s)
	}
	if left := n.remove(); !strings.Contains(strings.Join(left, "\n"), command) {
		t.Errorf("left %q", left)
	}
}

// TestRemoveLeavesItsLike: a policy rule without our number is left, and named.
func TestRemoveLeavesItsLike(t *testing.T) {
	n := newNetns(t)
	n.sh("ip rule add fwmark 0x1/0x1 lookup 100; ip route add local default dev lo table 100")
	before := n.listed()
	n.do(func() {
		_, err := Apply(Spec{TCPPort: 1})
		left, errRemove := Remove()
		if err := errors.Join(err, errRemove); err != nil || len(left) != 2 || !strings.Contains(left[1], "does not bear protocol 115") {
			t.Errorf("left %q, %v", left, err)
		}
	})
	if diff := differ(before, n.listed()); diff != "" {
		t.Errorf("changed:\n%s", diff)
	}
}
