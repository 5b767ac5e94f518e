package rules

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func ptr(n int) *int { return &n }

func prefixes(texts ...string) (all []netip.Prefix) {
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

// specs are one of each kind that differs in the kernel.
func specs() map[string]Spec {
	full := Spec{
		TCPPort: 12345, UDPPort: 12346, Ifaces: []string{"eth1", "br-lan", "eth0.100"},
		Dports:  []PortRange{{443, 443}, {80, 80}, {81, 90}, {65000, 65535}},
		Include: prefixes("0.0.0.0/0", "2000::/3"),
		Exclude: prefixes("10.0.0.0/8", "10.1.0.0/16", "192.0.2.7/32", "11.0.0.0/8", "255.0.0.0/8", "fd00::/8", "2001:db8::1/128"),
		Output:  true, ExcludeUIDs: []uint32{1000, 33}, Mark: 0x10, Mask: 0xf0, Table: 7777, OwnMark: 0x3, Priority: ptr(-140),
	}
	open, divert, sysctl, redirect := full, full, full, full
	open.Fail, open.Output, open.ExcludeUIDs = Open, false, nil
	divert.Established, divert.Mark, divert.Mask = Divert, 0x5, 0xffffffff
	divert.BetweenIfaces, divert.CTMark, divert.CTMask = true, 0x80, 0xf80
	sysctl.Sysctl, sysctl.Ifaces = true, []string{"lan"}
	patterns := full
	patterns.Ifaces, patterns.Oifaces = []string{"lan", "ppp*", "ppp7", "wg+", "w"}, []string{"wan", "tun+"}
	pattern := Spec{TCPPort: 1, Ifaces: []string{"ppp+"}, Oifaces: []string{"eth0", "eth1"}}
	redirect.Via, redirect.UDPPort, redirect.Priority = Redirect, 0, nil
	ways := full
	ways.Ways = []Way{{Ifaces: []string{"lan2", "ppp*"}, Port: 2, TCP: true, UDP: true}, {Ifaces: []string{"lan3"}, Port: 3, UDP: true}}
	listeners := full
	listeners.Listeners = foreign()
	tracked := Spec{Ways: []Way{{Ifaces: []string{"lan"}, Port: 1, TCP: true, UDP: true}}, Listeners: foreign(), NoTrack: true}
	clients := full
	clients.Output, clients.ExcludeUIDs, clients.ExcludeCgroup = false, nil, ""
	clients.Sources = Sources{Clients: true, Ports: true, Addrs: []netip.Addr{netip.MustParseAddr("203.0.113.5"), netip.MustParseAddr("2001:db8::5")}}
	clientsOpen := clients
	clientsOpen.Fail, clientsOpen.Established, clientsOpen.CTOwn, clientsOpen.CTOwnMask = Open, Divert, 0x40, 0x60
	redirectAddress := redirect
	redirectAddress.Sources = Sources{Clients: true, Addrs: clients.Sources.Addrs}
	return map[string]Spec{
		"clients":          clients,
		"clients open":     clientsOpen,
		"clients output":   {TCPPort: 1, UDPPort: 2, Output: true, Ifaces: []string{"lan"}, Sources: Sources{Clients: true, KernelReplies: true}},
		"clients UDP":      {UDPPort: 2, Ifaces: []string{"lan"}, Sources: Sources{Clients: true}},
		"clients TCP":      {TCPPort: 1, Sources: Sources{Clients: true}},
		"addresses":        {TCPPort: 1, UDPPort: 2, Sources: Sources{Addrs: clients.Sources.Addrs[:1]}},
		"redirect address": redirectAddress,
		"plain":            {TCPPort: 12345, UDPPort: 12345},
		"tcp":              {TCPPort: 12345, Ifaces: []string{"lan"}},
		"udp":              {UDPPort: 53, Ifaces: []string{"lan"}, Established: Divert},
		"output":           {TCPPort: 12345, UDPPort: 12345, Output: true},
		"full":             full,
		"open":             open,
		"divert":           divert,
		"sysctl":           sysctl,
		"redirect":         redirect,
		"nat":              {TCPPort: 12345, Via: Redirect},
		"patterns":         patterns,
		"pattern":          pattern,
		"ways":             ways,
		"two ways":         {Ways: []Way{{Ifaces: []string{"lan1"}, Port: 1, TCP: true, UDP: true}, {Ifaces: []string{"lan2"}, Port: 2, TCP: true, UDP: true}}},
		"way+rest":         {UDPPort: 9, Ways: []Way{{Ifaces: []string{"lan"}, Port: 1, TCP: true}}},
		"way nat":          {Via: Redirect, TCPPort: 9, Ifaces: []string{"lan1"}, Ways: []Way{{Ifaces: []string{"lan2"}, Port: 1, TCP: true}}},

		"listeners":         listeners,
		"foreign":           {Listeners: foreign()},
		"notrack":           tracked,
		"foreign notrack":   {Listeners: foreign(), NoTrack: true},
		"foreign open":      {Listeners: foreign(), Fail: Open},
		"clients ways":      {Fail: Open, Ways: []Way{{Ifaces: []string{"lan1"}, Port: 1, TCP: true, UDP: true}, {Ifaces: []string{"lan2"}, Port: 2, TCP: true}}, Sources: Sources{Clients: true, Ports: true}},
		"clients listeners": {Listeners: foreign(), Sources: Sources{Clients: true, Ports: true, UDPPort: 53}},
		"clients alone":     {Sources: Sources{Clients: true, Ports: true, UDPPort: 53, Addrs: clients.Sources.Addrs}},
		"foreign nat":       {Via: Redirect, TCPPort: 9, Listeners: foreign()},
	}
}

// foreign are listeners of each family and network.
func foreign() []Listener {
	return []Listener{
		{Addr: netip.MustParseAddrPort("222.173.190.239:51966"), TCP: true, UDP: true},
		{Addr: netip.MustParseAddrPort("[2001:db8::5]:443"), TCP: true},
		{Addr: netip.MustParseAddrPort("198.18.0.53:53"), UDP: true},
	}
}

// TestOneSource installs each spec through netlink and, elsewhere, loads its
// printed text with the real nft; the real nft then lists both alike.
func TestOneSource(t *testing.T) {
	for name, spec := range specs() {
		t.Run(name, func(t *testing.T) {
			ours, theirs := newNetns(t), newNetns(t)
			spec.Sysctl = false
			ours.do(func() {
				if _, err := Apply(spec); err != nil {
					t.Error(err)
				}
			})
			text := mustText(t, spec, FormatNFT)
			theirs.sh("nft -f - <<'END'\n" + text + "END")
			theirs.sh("nft -f - <<'END'\n" + text + "END") // twice is one table
			got, want := listing(ours), listing(theirs)
			if got != want {
				t.Errorf("netlink and text differ:\n%s\ninstalled:\n%s", differ(want, got), got)
			}
		})
	}
}

func mustText(t *testing.T, spec Spec, format Format) string {
	t.Helper()
	plan, err := NewPlan(spec)
	if err != nil {
		t.Fatal(err)
	}
	text, err := plan.Text(format)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// listing is nft's, with the elements of sets ordered: the kernel's hash
// tables are seeded.
func listing(n *netns) string {
	n.t.Helper()
	text := n.sh("nft list table inet sluice; nft --debug=netlink list table inet sluice | grep -v element | sed 's/^\\(inet [a-z]* [a-z0-9_]*\\) .*/\\1/'")
	text = regexp.MustCompile(`packets \d+ bytes \d+`).ReplaceAllString(text, "")
	return regexp.MustCompile(`(?s)\{ ([^{}]*?) \}`).ReplaceAllStringFunc(text, func(list string) string {
		items := strings.Split(strings.Join(strings.Fields(strings.Trim(list, "{}")), " "), ", ")
		slices.Sort(items)
		return strings.Join(items, ", ")
	})
}

func TestNothingIsLeft(t *testing.T) {
	for name, spec := range specs() {
		t.Run(name, func(t *testing.T) {
			n := newNetns(t)
			n.sh("ip link add lan type veth peer name nal; ip link set lan addrgenmode none; ip link set lan up; ip addr add 192.0.2.1/24 dev lan")
			before := n.state()
			n.do(func() {
				i, err := Install(spec)
				if err != nil {
					t.Error(err)
					return
				}
				if status, err := ReadStatus(); err != nil || !status.Complete() || !status.Living {
					t.Errorf("status while installed: %+v, %v", status, err)
				}
				for range 2 {
					if err := i.Close(); err != nil {
						t.Error(err)
					}
				}
			})
			if diff := differ(before, n.state()); diff != "" {
				t.Errorf("Close left:\n%s", diff)
			}
			n.do(func() {
				for range 2 {
					if _, err := Apply(spec); err != nil {
						t.Error(err)
					}
				}
			})
			if rules := n.sh("ip rule; ip -6 rule"); strings.Count(rules, "fwmark") > 3 && !spec.Sources.Clients || strings.Count(rules, "fwmark") > 5 {
				t.Errorf("twice made two:\n%s", rules)
			}
			n.do(func() {
				for range 2 {
					if _, err := Remove(); err != nil {
						t.Error(err)
					}
				}
			})
			if diff := differ(before, n.state()); diff != "" {
				t.Errorf("Remove left:\n%s", diff)
			}
		})
	}
}

// TestCommandsPasted runs the printed shell script and takes it away again.
func TestCommandsPasted(t *testing.T) {
	for name, spec := range specs() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNetns(t)
			n.sh("ip link add lan type veth peer name nal")
			spec.Sysctl = false
			before := n.state()
			n.sh(mustText(t, spec, FormatCommands))
			n.do(func() {
				if status, err := ReadStatus(); err != nil || !status.Complete() || status.Owner != ownerOperator {
					t.Errorf("status: %+v, %v", status, err)
				}
				if _, err := Remove(); err != nil {
					t.Error(err)
				}
			})
			if diff := differ(before, n.state()); diff != "" {
				t.Errorf("left:\n%s", diff)
			}
		})
	}
}

func TestCommandsSetSysctls(t *testing.T) {
	for _, iface := range []string{"lan", "la+"} {
		n := newNetns(t)
		n.sh("ip link add lan type veth peer name nal; sysctl -qw net.ipv4.ip_forward=0 net.ipv4.conf.lan.src_valid_mark=1")
		n.sh(mustText(t, Spec{TCPPort: 1, Ifaces: []string{iface, "ppp*"}, Output: true, Sysctl: true}, FormatCommands))
		if got := n.sh("sysctl -n net.ipv4.ip_forward net.ipv6.conf.all.forwarding net.ipv4.conf.lan.src_valid_mark"); got != "1\n1\n0\n" {
			t.Errorf("sysctls: %q", got)
		}
	}
}

// TestIPTablesPasted runs the printed iptables script with the real tools.
func TestIPTablesPasted(t *testing.T) {
	for name, spec := range specs() {
		if spec.Fail == Open || spec.NoTrack || spec.withDefaults().zoned() || spec.foreign() && spec.Via == Redirect {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNetns(t)
			n.sh("ip link add lan type veth peer name nal")
			if len(spec.ExcludeUIDs) > 0 { // xt_owner takes users of the user namespace alone
				spec.ExcludeUIDs = []uint32{0}
			}
			spec.BetweenIfaces, spec.Oifaces = true, nil
			n.sh(mustText(t, spec, FormatIPTables))
			for _, save := range []string{"iptables-save", "ip6tables-save"} {
				saved := n.sh(save)
				want := "TPROXY --on-port"
				if spec.Via == Redirect {
					want = "REDIRECT --to-ports"
				} else if !spec.withDefaults().diverts() {
					want = "--dport 51966 -m socket --transparent -m comment --comment sluice -j DIVERT"
					if save == "ip6tables-save" {
						want = "--dport 443 -m socket --transparent -m comment --comment sluice -j DIVERT"
					}
				}
				if !strings.Contains(saved, want) {
					t.Errorf("%s has no %s:\n%s", save, want, saved)
				}
			}
		})
	}
}

func TestIPTablesDocumentsForm(t *testing.T) {
	text := mustText(t, Spec{TCPPort: 12345, UDPPort: 12345}, FormatIPTables)
	for _, want := range []string{
		"ip rule add fwmark 0x1/0x1 lookup 100 priority 90 protocol 115\n", "ip route add local default dev lo table 100 protocol 115\n",
		"ip -6 rule add fwmark 0x1/0x1 lookup 100 priority 90 protocol 115\n", "ip -6 route add local default dev lo table 100 protocol 115\n",
		"iptables -t mangle -N DIVERT\n", "ip6tables -t mangle -A DIVERT -j ACCEPT\n",
		"-p tcp ! --syn -m socket --transparent -j DIVERT\n",
		"-j TPROXY --on-port 12345 --tproxy-mark 0x1/0x1\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q:\n%s", want, text)
		}
	}
}

func TestForeignIsLeftAlone(t *testing.T) {
	n := newNetns(t)
	n.sh("nft add table inet sluice; nft add chain inet sluice mine")
	before := n.state()
	n.do(func() {
		if _, err := Apply(Spec{TCPPort: 1, Sysctl: true}); !errors.Is(err, errForeign) {
			t.Errorf("apply: %v", err)
		}
		if _, err := Remove(); !errors.Is(err, errForeign) {
			t.Errorf("remove: %v", err)
		}
	})
	if diff := differ(before, n.state()); diff != "" {
		t.Errorf("changed:\n%s", diff)
	}
}

// TestTableOfOthers: a routing table that others use stays theirs, and the next
// free one serves.
func TestTableOfOthers(t *testing.T) {
	for name, setup := range map[string]string{
		"narrower route":    "ip route add 203.0.113.0/24 dev lo table 100",
		"IPv6 route":        "ip -6 route add 2001:db8::/32 dev lo table 100",
		"default route":     "ip route add default dev lan table 100",
		"unreachable":       "ip route add unreachable default table 100 metric 4000",
		"rule of theirs":    "ip rule add from 192.0.2.9 lookup 100",
		"as a VRF has":      "ip route add local 192.0.2.1 dev lan table 100",
		"the next one too":  "ip route add throw 10.0.0.0/8 table 100; ip -6 route add blackhole default table 101",
		"up to the system":  "for k in $(seq 100 252); do ip route add prohibit default table $k; done",
		"rule in IPv6 only": "ip -6 rule add to 2001:db8::/32 lookup 100 pref 5",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNetns(t)
			n.sh("ip link add lan type veth peer name nal; ip addr add 192.0.2.1/24 dev lan; ip link set lan up; " + setup)
			before := n.state()
			spec := Spec{TCPPort: 1, Ifaces: []string{"lan"}}
			if name == "up to the system" {
				spec.Table = 200
			}
			n.do(func() {
				if _, err := Apply(spec); err != nil {
					t.Fatal(err)
				}
				status, err := ReadStatus()
				if err != nil || !status.Complete() || status.Table == 100 {
					t.Errorf("status: %+v, %v", status, err)
				}
				if _, err := Remove(); err != nil {
					t.Error(err)
				}
			})
			if diff := differ(before, n.state()); diff != "" {
				t.Errorf("changed:\n%s", diff)
			}
		})
	}
}

func TestNeighboursSurvive(t *testing.T) {
	n := newNetns(t)
	n.sh(`nft add table inet mine; nft add table ip sluice; ip rule add fwmark 0x1/0x1 lookup 100
		ip rule add fwmark 0x8 lookup 9 protocol 7; ip route add local default dev lo table 100; ip route add 198.51.100.0/24 dev lo table 9`)
	before := n.state()
	n.do(func() {
		if _, err := Apply(Spec{TCPPort: 1, UDPPort: 2}); err != nil {
			t.Error(err)
		}
		if _, err := Remove(); err != nil {
			t.Error(err)
		}
	})
	if diff := differ(before, n.state()); diff != "" {
		t.Errorf("changed:\n%s", diff)
	}
}

// TestFailedStepIsUndone fails the last step: a sysctl that takes no such value.
func TestFailedStepIsUndone(t *testing.T) {
	n := newNetns(t)
	before := n.state()
	n.do(func() {
		plan, err := NewPlan(Spec{TCPPort: 1, Sysctl: true})
		if err != nil {
			t.Fatal(err)
		}
		plan.sysctls = append(plan.sysctls, Sysctl{Name: "net/ipv4/ip_default_ttl", Want: "no"})
		holder, err := newHolder(canPersist)
		if err != nil {
			t.Fatal(err)
		}
		defer holder.close()
		i := &Installed{owner: "pid 1", holder: holder}
		if err := i.put(plan, seen{}); err == nil || !strings.Contains(err.Error(), "ip_default_ttl") {
			t.Errorf("error: %v", err)
		}
	})
	if diff := differ(before, n.state()); diff != "" {
		t.Errorf("left:\n%s", diff)
	}
	n.sh("ip link set lo down")
	n.do(func() {
		if _, err := Apply(Spec{TCPPort: 1}); err == nil || !strings.Contains(err.Error(), "ip link set lo up") {
			t.Errorf("lo down: %v", err)
		}
	})
}

// TestWithoutIPv6 installs where IPv6 is switched off.
func TestWithoutIPv6(t *testing.T) {
	n := newNetns(t)
	n.sh("sysctl -qw net.ipv6.conf.all.disable_ipv6=1")
	before := n.state()
	n.do(func() {
		if _, err := Apply(Spec{TCPPort: 1}); err != nil {
			t.Error(err)
		}
		if status, err := ReadStatus(); err != nil || !status.Complete() {
			t.Errorf("status: %+v, %v", status, err)
		}
		if _, err := Remove(); err != nil {
			t.Error(err)
		}
	})
	if diff := differ(before, n.state()); diff != "" {
		t.Errorf("left:\n%s", diff)
	}
}

// TestMain lets the test binary play a sluice that dies by kill -9.
func TestMain(m *testing.M) {
	if kind := os.Getenv("SLUICE_TEST_OWNER"); kind != "" {
		spec := Spec{TCPPort: 1, UDPPort: 2, Sysctl: true, Table: 321, Mark: 0x4, Mask: 0x4}
		if kind == "mortal" {
			spec = Spec{TCPPort: 1, Via: Redirect, Fail: Open}
		}
		if kind == "open output" {
			spec = Spec{TCPPort: 1, UDPPort: 2, Output: true, Fail: Open}
		}
		_, err := Install(spec)
		fmt.Println("installed", err)
		_ = unix.Pause()
	}
	// The tests mostly wait, for the kernel's timers and for what must not arrive.
	if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == fmt.Sprint(runtime.GOMAXPROCS(0)) {
		_ = parallel.Value.Set("4")
	}
	os.Exit(m.Run())
}

// owner starts a process that installs rules in the namespace and stays.
func (n *netns) owner(kind string) *exec.Cmd {
	n.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SLUICE_TEST_OWNER="+kind)
	out, err := cmd.StdoutPipe()
	if err != nil {
		n.t.Fatal(err)
	}
	n.do(func() { err = cmd.Start() })
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, _ := bufio.NewReader(out).ReadString('\n')
	if line != "installed <nil>\n" {
		n.t.Fatalf("owner says %q", line)
	}
	return cmd
}

func TestLeftoversOfTheDead(t *testing.T) {
	n := newNetns(t)
	n.sh("sysctl -qw net.ipv4.conf.all.accept_redirects=0") // ip_forward takes it along
	before := n.state()
	owner := n.owner("tproxy")
	n.do(func() {
		for what, try := range map[string]func() error{
			"install": func() error { _, err := Install(Spec{TCPPort: 1}); return err },
			"apply":   func() error { _, err := Apply(Spec{TCPPort: 1}); return err },
			"remove":  func() error { _, err := Remove(); return err },
		} {
			var living *LivingError
			if err := try(); !errors.As(err, &living) || living.Owner != fmt.Sprintf("pid %d", owner.Process.Pid) {
				t.Errorf("%s beside a living sluice: %v", what, err)
			}
		}
	})
	_ = owner.Process.Kill()
	_ = owner.Wait()
	n.do(func() {
		if status, err := ReadStatus(); err != nil || !status.Installed || status.Living || len(status.Sysctls) == 0 {
			t.Errorf("status of leftovers: %+v, %v", status, err)
		}
		i, err := Install(Spec{TCPPort: 5, Sysctl: true})
		if err != nil {
			t.Error(err)
			return
		}
		if rules := mustRun(t, "ip rule; ip route show table all"); strings.Contains(rules, "321") {
			t.Errorf("the dead one's routing stays:\n%s", rules)
		}
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	})
	if diff := differ(before, n.state()); diff != "" {
		t.Errorf("left:\n%s", diff)
	}
}

func TestRemoveAfterKill(t *testing.T) {
	n := newNetns(t)
	before := n.state()
	owner := n.owner("tproxy")
	_ = owner.Process.Kill()
	_ = owner.Wait()
	n.do(func() {
		if _, err := Remove(); err != nil {
			t.Error(err)
		}
	})
	if diff := differ(before, n.state()); diff != "" {
		t.Errorf("left:\n%s", diff)
	}
}

// TestMortalTable: REDIRECT that fails open is gone with its process.
func TestMortalTable(t *testing.T) {
	n := newNetns(t)
	before := n.state()
	owner := n.owner("mortal")
	if !strings.Contains(n.sh("nft list ruleset"), "redirect to :1") {
		t.Error("not installed")
	}
	_ = owner.Process.Kill()
	_ = owner.Wait()
	wait(t, "the table to go", func() bool { return n.state() == before })
	n.do(func() {
		spec := Spec{TCPPort: 1, Via: Redirect, Fail: Open}
		if _, err := Apply(spec); !errors.Is(err, errHeldOnly) {
			t.Errorf("apply: %v", err)
		}
		i, err := Install(spec)
		if err != nil {
			t.Error(err)
			return
		}
		for _, port := range []uint16{2, 3} {
			spec.TCPPort = port
			if err := i.Replace(spec); err != nil {
				t.Error(err)
			}
		}
		if err := i.Replace(Spec{TCPPort: 4}); err != nil {
			t.Error(err)
		}
		if err := i.Replace(spec); err != nil {
			t.Error(err)
		}
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	})
	if diff := differ(before, n.state()); diff != "" {
		t.Errorf("left:\n%s", diff)
	}
}

func TestHandMadeIsNotTakenOver(t *testing.T) {
	n := newNetns(t)
	n.do(func() {
		if _, err := Apply(Spec{TCPPort: 1}); err != nil {
			t.Error(err)
		}
		if _, err := Install(Spec{TCPPort: 1}); !errors.Is(err, errOperator) {
			t.Errorf("install over apply: %v", err)
		}
	})
}

func mustRun(t *testing.T, script string) string {
	out, err := exec.Command("sh", "-ec", script).CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", script, err, out)
	}
	return string(out)
}

// TestHugeSets: a transaction far beyond a socket's ordinary buffers.
func TestHugeSets(t *testing.T) {
	n := newNetns(t)
	before := n.state()
	spec := Spec{TCPPort: 1, UDPPort: 2}
	for k := range 60000 {
		spec.Exclude = append(spec.Exclude, netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(11 + k>>15), byte(k >> 7), byte(k << 1), 0}), 24))
	}
	n.do(func() {
		i, err := Install(spec)
		if err == nil {
			spec.TCPPort = 3
			err = errors.Join(i.Replace(spec), i.Close())
		}
		if err != nil {
			t.Error(err)
		}
	})
	if diff := differ(before, n.state()); diff != "" {
		t.Errorf("left:\n%s", diff)
	}
}

// TestStatusOfHollowTable: a table without its rules is not all that should be.
func TestStatusOfHollowTable(t *testing.T) {
	n := newNetns(t)
	status := func() (s Status) {
		n.do(func() {
			var err error
			if s, err = ReadStatus(); err != nil {
				t.Error(err)
			}
		})
		return s
	}
	n.do(func() {
		if _, err := Apply(Spec{TCPPort: 1, UDPPort: 2}); err != nil {
			t.Error(err)
		}
	})
	if s := status(); !s.Complete() {
		t.Errorf("complete: %+v", s)
	}
	n.sh("nft flush chain inet sluice prerouting")
	if s := status(); s.Complete() {
		t.Errorf("hollow: %+v", s)
	}
}

// TestStatusDisturbsNobody looks while others install.
func TestStatusDisturbsNobody(t *testing.T) {
	n := newNetns(t)
	done := make(chan struct{})
	watched := make(chan struct{})
	n.thread().calls <- func() {
		defer close(watched)
		for {
			select {
			case <-done:
				return
			default:
				held()
			}
		}
	}
	n.do(func() {
		for range 20000 {
			l, err := takeLock()
			if err != nil {
				t.Error(err)
				break
			}
			l.release()
		}
		close(done)
	})
	<-watched
}
