package doctor

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"sluice/redir/rules"
)

// gateway is a healthy one, to be broken: lan and wan are up, forwarding is on.
func gateway(t *testing.T) *space {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	s, err := newSpace()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	sh(t, s, `ip link add lan type veth peer name wan; ip link set lan up; ip link set wan up
		ip addr add 192.0.2.1/24 dev lan; ip addr add 2001:db8::1/64 dev lan nodad
		sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1`)
	return s
}

func sh(t *testing.T, s *space, script string) {
	t.Helper()
	if err := s.do(func() error {
		out, err := exec.Command("sh", "-ec", script).CombinedOutput()
		if err != nil {
			err = errors.New(string(out) + err.Error())
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// TestBrokenGateways breaks one thing at a time. The check is ok before, says
// what is wrong after, and ok again once its own remedy was run.
func TestBrokenGateways(t *testing.T) {
	ifaces := []string{"lan"}
	othersFirst := func() Result { stopping, _ := firewalls(ifaces, true); return stopping[0] }
	ours := func() error {
		_, err := rules.Apply(rules.Spec{TCPPort: 12345, UDPPort: 12345})
		return err
	}
	for name, c := range map[string]struct {
		setup  func() error
		breaks string
		check  func() Result
		status Status
		says   string
		remedy string // empty: the result's own
	}{
		"lo down":        {nil, "ip link set lo down", func() Result { _, r := interfaces(ifaces); return r }, Fail, "lo is down", ""},
		"interface down": {nil, "ip link set lan down", func() Result { _, r := interfaces(ifaces); return r }, Fail, "lan is down", ""},
		"interface gone": {nil, "ip link set lan name other", func() Result { _, r := interfaces(ifaces); return r }, Fail, "lan does not exist",
			"ip link set other down; ip link set other name lan; ip link set lan up"},
		"ip_forward":      {nil, "sysctl -qw net.ipv4.ip_forward=0", forwarding, Fail, "ip_forward is 0", ""},
		"ipv6 forwarding": {nil, "sysctl -qw net.ipv6.conf.all.forwarding=0", forwarding, Fail, "ipv6.conf.all.forwarding", ""},
		"rp_filter":       {nil, "sysctl -qw net.ipv4.conf.lan.rp_filter=1", func() Result { return sourceCheck(ifaces) }, Warn, "strict", ""},
		"src_valid_mark":  {nil, "sysctl -qw net.ipv4.conf.all.src_valid_mark=1", func() Result { return sourceCheck(ifaces) }, Fail, "follows the mark", ""},
		"route_localnet":  {nil, "sysctl -qw net.ipv4.conf.lan.route_localnet=1", func() Result { return routeLocalnet(ifaces) }, Warn, "127.0.0.1", ""},
		"br_netfilter":    {nil, "ip link add br0 type bridge", func() Result { return bridge([]string{"br0"}) }, Fail, "undoes TPROXY on br0", ""},
		"rule gone":       {ours, "ip rule del fwmark 0x1/0x1", routing, Fail, "missing", ""},
		"route gone":      {ours, "ip -6 route flush table 100", routing, Fail, "missing", ""},
		"no rules": {ours, "nft delete table inet sluice; for f in -4 -6; do while ip $f rule del fwmark 0x1/0x1 2>/dev/null; do :; done; ip $f route flush table 100; done",
			routing, Warn, "no rules are installed", ""},
		"foreign table": {ours, "nft flush ruleset; nft add table inet sluice", routing, Fail, "not sluice's", "nft delete table inet sluice; ip rule del fwmark 0x1/0x1; ip -6 rule del fwmark 0x1/0x1; ip rule add fwmark 0x1/0x1 lookup 100; ip -6 rule add fwmark 0x1/0x1 lookup 100"},
		"DNAT of others": {ours, "nft add table ip x; nft add chain ip x pre '{ type nat hook prerouting priority -160; }'; nft add chain ip x sub; nft add rule ip x sub tcp dport 80 dnat to 192.0.2.9; nft add rule ip x pre jump sub",
			othersFirst, Warn, "chain ip x pre comes first and rewrites destinations", "nft delete table ip x"},
		"TPROXY of others": {ours, "iptables -t mangle -A PREROUTING -p tcp -j TPROXY --on-port 1 --tproxy-mark 1/1",
			othersFirst, Warn, "hands to another listener some TCP of lan over IPv4: rule", "iptables -t mangle -F"},
		"drop of others": {nil, "nft add table inet x; nft add chain inet x raw '{ type filter hook prerouting priority -300; }'; nft add rule inet x raw tcp dport 80 drop",
			othersFirst, Warn, "comes first and drops", "nft delete table inet x"},
		"policy drop of others": {nil, "nft add table inet x; nft add chain inet x raw '{ type filter hook prerouting priority -300; policy drop; }'",
			othersFirst, Fail, "comes first and drops TCP and UDP of lan over IPv4 and IPv6, by its policy", ""},
		"a firewall's input chain": {ours, "nft add table inet x; nft add chain inet x in '{ type filter hook input priority 0; policy drop; }'; nft add rule inet x in ct state established accept",
			othersFirst, Fail, "chain inet x in drops TCP and UDP of lan over IPv4 and IPv6, by its policy", ""},
		"a rule without its route": {nil, "ip rule add fwmark 0x77 lookup 77; ip route add 203.0.113.0/24 dev lo table 77; ip -6 rule add fwmark 1/1 lookup 100; ip -6 route add local default dev lo table 100; ip rule add fwmark 1/1 lookup 100",
			routing, Warn, "fwmark 0x1 leads to table 100", ""},
		"GRO off": {nil, "ethtool -K lan gro off", func() Result { return judgeOffloads("lan", interfaceFeatures("lan")) }, Warn, "rx-gro is off", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := gateway(t)
			if name == "GRO off" {
				sh(t, s, "ethtool -K lan gro on rx-udp-gro-forwarding on")
			}
			look := func() (r Result) {
				_ = s.do(func() error { r = c.check(); return nil })
				return r
			}
			if c.setup != nil {
				if err := s.do(c.setup); err != nil {
					t.Fatal(err)
				}
			}
			if r := look(); r.Status != OK && name != "a rule without its route" {
				t.Errorf("before: %v", r)
			}
			sh(t, s, c.breaks)
			r := look()
			if r.Status != c.status || !strings.Contains(r.Detail, c.says) || r.Remedy == "" {
				t.Errorf("broken: %v", r)
			}
			switch {
			case c.remedy != "":
				sh(t, s, c.remedy)
			case strings.HasPrefix(r.Remedy, "sluice rules install"):
				if err := s.do(ours); err != nil {
					t.Error(err)
				}
			default:
				sh(t, s, r.Remedy)
			}
			if r := look(); r.Status != OK {
				t.Errorf("after the remedy: %v", r)
			}
		})
	}
}

// TestListeners: the rules send to ports where nobody is, then somebody.
func TestListeners(t *testing.T) {
	s := gateway(t)
	if err := s.do(func() error {
		if r := listeners(); r.Status != OK {
			t.Errorf("without rules: %v", r)
		}
		if _, err := rules.Apply(rules.Spec{TCPPort: 4321, UDPPort: 4322}); err != nil {
			return err
		}
		if r := listeners(); r.Status != Fail || !strings.Contains(r.Detail, "tcp port 4321") || !strings.Contains(r.Detail, "udp port 4322") {
			t.Errorf("nobody listens: %v", r)
		}
		one, err := net.Listen("tcp4", "127.0.0.1:4321")
		if err != nil {
			return err
		}
		if r := listeners(); r.Status != Fail || !strings.Contains(r.Detail, "tcp port 4321 has one address only") {
			t.Errorf("one address: %v", r)
		}
		one.Close()
		tcp, err := net.Listen("tcp4", ":4321")
		if err != nil {
			return err
		}
		defer tcp.Close()
		udp, err := net.ListenPacket("udp6", ":4322")
		if err != nil {
			return err
		}
		defer udp.Close()
		if r := listeners(); r.Status != Fail || !strings.Contains(r.Detail, "holds tcp port 4321") || !strings.Contains(r.Detail, "doctor.test") {
			t.Errorf("neither is transparent: %v", r)
		}
		for _, c := range []syscall.Conn{tcp.(*net.TCPListener), udp.(*net.UDPConn)} {
			if err := transparent(c); err != nil {
				return err
			}
		}
		if r := listeners(); r.Status != OK {
			t.Errorf("both listen: %v", r)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func transparent(c syscall.Conn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	err = raw.Control(func(fd uintptr) { set = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_TRANSPARENT, 1) })
	return errors.Join(err, set)
}

// TestReceivers: the ports of a bridge receive, and what is below a VLAN.
func TestReceivers(t *testing.T) {
	links := []netlink.Link{
		&netlink.Device{LinkAttrs: netlink.LinkAttrs{Name: "lan", Index: 1}},
		&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "br", Index: 2}},
		&netlink.Device{LinkAttrs: netlink.LinkAttrs{Name: "p1", Index: 3, MasterIndex: 2}},
		&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "p2", Index: 4, MasterIndex: 2, ParentIndex: 1}},
		&netlink.Vlan{LinkAttrs: netlink.LinkAttrs{Name: "br.5", Index: 5, ParentIndex: 2}},
	}
	for names, want := range map[string]string{
		"lan": "lan", "br": "p1 p2", "br.5": "p1 p2", "br lan br.5": "p1 p2 lan", "p2": "p2", "gone": "gone",
	} {
		if got := receivers(strings.Fields(names), links); strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %s", names, got, want)
		}
	}
}

// TestLimits judges what this machine cannot be made to have.
func TestLimits(t *testing.T) {
	for name, c := range map[string]struct {
		got    Result
		status Status
		says   string
	}{
		"conntrack full":   {judgeConntrack(260000, 262144), Fail, "nf_conntrack_max=524288"},
		"conntrack high":   {judgeConntrack(200000, 262144), Warn, "200000 of 262144"},
		"conntrack small":  {judgeConntrack(5, 4096), Warn, "few"},
		"conntrack fine":   {judgeConntrack(5, 262144), OK, ""},
		"pacing unknown":   {judgePacing("", nil), OK, "not readable"},
		"no pacing":        {judgePacing("cubic", map[string][]string{"lan": nil}), OK, ""},
		"paced by fq":      {judgePacing("bbr", map[string][]string{"lan": {"mq", "fq", "fq"}}), OK, ""},
		"paced by TCP":     {judgePacing("bbr", map[string][]string{"wan": {"fq_codel"}, "lan": nil, "dmz": {"fq"}}), Warn, "on lan, wan"},
		"files few":        {judgeFiles(1024), Warn, "512 connections"},
		"files fine":       {judgeFiles(1 << 20), OK, ""},
		"pipe pages":       {judgePipes(1024, 1<<20), Warn, "fs.pipe-user-pages-soft=16384"},
		"pipe size":        {judgePipes(16384, 65536), Warn, "fs.pipe-max-size=1048576"},
		"pipes unlimited":  {judgePipes(0, 1<<20), OK, ""},
		"buffers":          {judgeBuffers(212992, 212992), Warn, "net.core.rmem_max=4194304"},
		"buffers fine":     {judgeBuffers(8<<20, 8<<20), OK, ""},
		"no capabilities":  {judgeCapabilities("CapEff:\t0000000000000000\n"), Fail, "CAP_NET_ADMIN"},
		"no bind service":  {judgeCapabilities("CapEff:\t0000000000003000\n"), Fail, "CAP_NET_BIND_SERVICE"},
		"no raw":           {judgeCapabilities("CapEff:\t0000000000001400\n"), Warn, "CAP_NET_RAW"},
		"all capabilities": {judgeCapabilities("Name:\tx\nCapEff:\t000001fffeffffff\n"), OK, ""},
		"a ring":           {judgeRing(nil, 0), OK, "works"},
		"no ring":          {judgeRing(os.NewSyscallError("io_uring_setup", unix.ENOMEM), 0), Note, "LimitMEMLOCK="},
		"root's ring":      {judgeRing(nil, 1), Note, "sysctl -w kernel.io_uring_disabled=0  (to last: echo"},
		"udp gro":          {judgeOffloads("e", map[string]bool{"rx-gro": true, "rx-udp-gro-forwarding": false}), Warn, "ethtool -K e rx-udp-gro-forwarding on"},
	} {
		if c.got.Status != c.status || !strings.Contains(c.got.String(), c.says) {
			t.Errorf("%s: %v", name, c.got)
		}
	}
}

// TestKernelFeatureMissing: a probe that fails names feature and module.
func TestKernelFeatureMissing(t *testing.T) {
	s := gateway(t)
	broken := feature{"TPROXY", func() error { return errors.New("no such thing") }, "nft_tproxy", Fail}
	if r := broken.check(s); r.Status != Fail || r.Remedy != "modprobe nft_tproxy" {
		t.Errorf("%v", r)
	}
	for _, r := range kernel() {
		if r.Status != OK {
			t.Errorf("%v", r)
		}
	}
}

// TestOfThisKernel runs the real program, and programs that are not it.
func TestOfThisKernel(t *testing.T) {
	gateway(t)
	dir := t.TempDir()
	real := filepath.Join(dir, "sluice")
	if out, err := exec.Command("go", "build", "-o", real, "sluice/cmd/sluice").CombinedOutput(); err != nil {
		t.Fatalf("cmd/sluice does not build: %v\n%s", err, out)
	}
	for _, r := range append(kernelTest(context.Background(), real), foreignTest(context.Background(), real)...) {
		if r.Status != OK {
			t.Errorf("%v", r)
		}
	}
	deaf := filepath.Join(dir, "deaf")
	script := "#!/bin/sh\necho '{\"level\":\"info\",\"message\":\"ready\"}' >&2\nexec sleep 60\n"
	mute := filepath.Join(dir, "mute")
	if err := errors.Join(os.WriteFile(deaf, []byte(script), 0o755), os.WriteFile(mute, []byte("#!/bin/sh\necho no >&2\n"), 0o755)); err != nil {
		t.Fatal(err)
	}
	for _, r := range kernelTest(context.Background(), deaf) { // ready, but nobody listens
		if r.Status != Fail {
			t.Errorf("deaf: %v", r)
		}
	}
	for _, r := range foreignTest(context.Background(), deaf) {
		if r.Status != Warn || !strings.Contains(r.Detail, "tcp to 203.0.113.7:7") || !strings.Contains(r.Detail, "udp to [2001:db8:7::7]:7") {
			t.Errorf("deaf: %v", r)
		}
	}
	if r := kernelTest(context.Background(), mute); len(r) != 1 || r[0].Status != Fail || !strings.Contains(r[0].Detail, "no") {
		t.Errorf("mute: %v", r)
	}
}

func TestFailed(t *testing.T) {
	if Failed([]Result{{Status: OK}, {Status: Warn}}) || !Failed([]Result{{Status: OK}, {Status: Fail}}) {
		t.Error("wrong")
	}
}
