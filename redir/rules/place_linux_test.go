package rules

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
)

// watched is rules that are installed and watched, and what the watcher said.
type watched struct {
	*Installed
	mu      sync.Mutex
	repairs []Repair
	errs    []error
	stop    func()
}

// watch installs the rules on the gateway and watches them until stop, which
// takes them away.
func (w *world) watch(spec Spec) *watched {
	w.t.Helper()
	x := &watched{Installed: w.install(spec)}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	w.gateway.thread().calls <- func() {
		ended <- x.Watch(ctx, func(r Repair, err error) {
			x.mu.Lock()
			defer x.mu.Unlock()
			if err != nil {
				x.errs = append(x.errs, err)
			} else {
				x.repairs = append(x.repairs, r)
			}
		})
	}
	x.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Error(err)
		}
		w.remove(x.Installed)
	})
	w.t.Cleanup(x.stop)
	return x
}

// by is everything that was named as standing in the place.
func (x *watched) by() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	var all []string
	for _, r := range x.repairs {
		all = append(all, r.By...)
	}
	return strings.Join(all, "\n")
}

func (x *watched) said() (repairs int, errs []error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.repairs), slices.Clone(x.errs)
}

// proxied waits until the proxy answers, TCP and UDP, both families.
func (w *world) proxied(after string) {
	w.t.Helper()
	for _, network := range []string{"tcp", "udp"} {
		for _, addr := range serverAddrs {
			wait(w.t, network+" to "+addr+" through the proxy after "+after, func() bool {
				return w.ask(w.client, network, addr, servicePort) == "proxy"
			})
		}
	}
}

// both runs each command for both families: V is -4 or -6, NET the server's
// network, VIA the server.
func both(script string) string {
	v4 := strings.NewReplacer(" V ", " -4 ", "NET", "10.9.2.0/24", "VIA", "10.9.2.2").Replace(script)
	v6 := strings.NewReplacer(" V ", " -6 ", "NET", "fd09:2::/64", "VIA", "fd09:2::2").Replace(script)
	return v4 + "\n" + v6
}

const (
	wgQuick = `ip V route add default via VIA dev wan table 51820
		ip V rule add not fwmark 51820 table 51820
		ip V rule add table main suppress_prefixlength 0`
	tailscale = `ip V rule add fwmark 0x80000/0xff0000 lookup main pref 5210
		ip V rule add fwmark 0x80000/0xff0000 unreachable pref 5250; ip V rule add lookup 52 pref 5270`
	mwan3 = `ip V rule add iif wan lookup 1 pref 1001; ip V rule add fwmark 0x100/0x3f00 lookup 1 pref 2001
		ip V rule add fwmark 0x3e00/0x3f00 unreachable pref 2062`
)

// TestPlaceIsKept: what others add, replace and take among rules and routes
// stops nothing that is diverted, theirs stays, and who took the place is named.
func TestPlaceIsKept(t *testing.T) {
	for name, c := range map[string]struct {
		do, undo string
		by       string // what is named; empty: nothing has to be
		stays    string // of theirs, in ip rule or ip route; empty: that is not looked at
	}{
		"wg-quick": {both(wgQuick), both("ip V rule del not fwmark 51820; ip V rule del table main suppress_prefixlength 0; ip V route flush table 51820"),
			"ip -6 rule 89: not from all fwmark 0xca6c/0xffffffff lookup 51820 (protocol ", "not from all fwmark 0xca6c lookup 51820"},
		"wg-quick twice": {both(wgQuick + "; ip V rule add not fwmark 51821 table 51820; ip V rule add table main suppress_prefixlength 1"),
			both("ip V rule del not fwmark 51820; ip V rule del not fwmark 51821; ip V rule del table main suppress_prefixlength 0; ip V rule del table main suppress_prefixlength 1; ip V route flush table 51820"),
			"fwmark 0xca6d/0xffffffff lookup 51820", "86:"},
		"tailscale": {both(tailscale), both("ip V rule del pref 5210; ip V rule del pref 5250; ip V rule del pref 5270"), "", "5270:"},
		"mwan3":     {both(mwan3), both("ip V rule del pref 1001; ip V rule del pref 2001; ip V rule del pref 2062"), "", "2062:"},
		"a network at priority 1": {both("ip V rule add to NET lookup main pref 1"), both("ip V rule del pref 1"),
			"ip rule 1: from all to 10.9.2.0/24 lookup main", "1:	from all to fd09:2::/64 lookup main"},
		"the same priority":    {both("ip V rule add to NET lookup main pref 90"), both("ip V rule del to NET pref 90"), "", "90:	from all to 10.9.2.0/24"},
		"unreachable":          {both("ip V rule add to NET unreachable pref 7"), both("ip V rule del pref 7"), "unreachable", "7:"},
		"prohibit":             {both("ip V rule add to NET prohibit pref 80"), both("ip V rule del pref 80"), "prohibit", "80:"},
		"blackhole for TCP":    {both("ip V rule add to NET ipproto tcp blackhole pref 3"), both("ip V rule del pref 3"), "ipproto 6 blackhole", "3:"},
		"goto":                 {both("ip V rule add goto 32766 pref 20"), both("ip V rule del pref 20"), "goto 32766", "20:"},
		"goto ours":            {both("ip V rule add goto 90 pref 20"), both("ip V rule del pref 20"), "", "20:"},
		"by interface":         {both("ip V rule add iif lan lookup main pref 30"), both("ip V rule del pref 30"), "iif lan lookup main", "30:"},
		"by other interface":   {both("ip V rule add iif wan lookup main pref 30"), both("ip V rule del pref 30"), "", "30:"},
		"by source":            {"ip rule add from 10.9.1.0/24 lookup main pref 30", "ip rule del pref 30", "from 10.9.1.0/24 lookup main", "30:"},
		"l3mdev":               {both("ip V rule add l3mdev pref 10"), both("ip V rule del pref 10"), "lookup of the VRF", "10:"},
		"by one of its bits":   {both("ip V rule add fwmark 0x1/0x1 lookup main pref 40"), both("ip V rule del pref 40"), "from all fwmark 0x1/0x1 lookup main", "40:"},
		"by others' bits":      {both("ip V rule add fwmark 0x100/0x100 lookup main pref 40"), both("ip V rule del pref 40"), "fwmark 0x100/0x100", "40:"},
		"marks that ours lack": {both("ip V rule add fwmark 0x2/0x3 lookup main pref 40"), both("ip V rule del pref 40"), "", "40:"},
		"local table moved":    {both("ip V rule add lookup local pref 32765; ip V rule del pref 0"), both("ip V rule add lookup local pref 0; ip V rule del pref 32765"), "", ""},
		"rules flushed":        {both("ip V rule flush; ip V rule add lookup main pref 32766"), "ip rule add lookup default pref 32767", "", ""},
		"table flushed":        {both("ip V route flush table 100"), "", "", ""},
		"route replaced": {both("ip V route replace default via VIA dev wan table 100"), both("ip V route flush table 100"),
			"ip route default via 10.9.2.2 dev wan table 100 (protocol boot)", "default via 10.9.2.2 dev wan table 100"},
		"IPv6 route replaced": {"ip -6 route replace local default dev lo table 100 metric 5 proto static; ip -6 route replace default via fd09:2::2 dev wan table 100 metric 4 proto static",
			"ip -6 route flush table 100", "(protocol static)", "metric 4"},
		"better metric": {both("ip V route prepend default via VIA dev wan table 100 metric 0"), both("ip V route flush table 100"), "table 100", ""},
		"narrower unreachable": {both("ip V route add unreachable NET table 100"), both("ip V route flush table 100"),
			"ip -6 route unreachable fd09:2::/64 dev lo metric 1024 table 100", "unreachable 10.9.2.0/24"},
		"throw":             {both("ip V route add throw NET table 100 metric 9"), both("ip V route flush table 100"), "throw 10.9.2.0/24 metric 9 table 100", "throw"},
		"table of a source": {"ip rule add from 10.9.1.77 lookup 100", "ip rule del from 10.9.1.77", "from 10.9.1.77/32 lookup 100", "10.9.1.77"},
		"another proxy's":   {both("ip V rule add fwmark 1 lookup 100"), both("ip V rule del fwmark 1/0xffffffff lookup 100"), "", "from all fwmark 0x1 lookup 100"},
		"IPv6 off and on":   {"sysctl -qw net.ipv6.conf.all.disable_ipv6=1; sysctl -qw net.ipv6.conf.all.disable_ipv6=0", "", "", ""},
		"IPv6 of lo":        {"sysctl -qw net.ipv6.conf.lo.disable_ipv6=1; sysctl -qw net.ipv6.conf.lo.disable_ipv6=0", "", "", ""},
		"lo down and up":    {"ip link set lo down; ip link set lo up", "", "", ""},
		"renumbered":        {"ip addr add 10.9.1.9/24 dev lan; ip addr del 10.9.1.9/24 dev lan", "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.startProxy()
			x := w.watch(Spec{TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"lan"}})
			w.proxied("installing")
			w.gateway.sh(c.do + "\n" + gatewayAddrs)
			w.proxied(name)
			wait(t, "who took the place to be named", func() bool { return strings.Contains(x.by(), c.by) })
			if c.by == "" && x.by() != "" {
				t.Errorf("named %s", x.by())
			}
			if now := w.gateway.sh("ip rule; ip -6 rule; ip route show table all; ip -6 route show table all"); !strings.Contains(now, c.stays) {
				t.Errorf("theirs is gone: no %q in\n%s", c.stays, now)
			}
			w.gateway.do(func() {
				if status, err := ReadStatus(); err != nil || !status.Complete() {
					t.Errorf("status: %v, %v", status, err)
				}
			})
			if _, errs := x.said(); len(errs) > 0 && !strings.HasPrefix(name, "lo ") {
				t.Errorf("errors: %v", errs)
			}
			w.gateway.sh(c.undo)
			wait(t, "the rule to have its own place again", func() bool {
				return strings.Count(w.gateway.sh("ip rule; ip -6 rule"), "90:\tfrom all fwmark 0x1/0x1 lookup") == 2
			})
			x.stop()
			if left := w.gateway.sh("ip rule; ip -6 rule; ip route show table all; ip -6 route show table all"); strings.Contains(left, "proto 115") {
				t.Errorf("left:\n%s", left)
			}
		})
	}
}

// gatewayAddrs are those that IPv6 loses when it is switched off.
const gatewayAddrs = "ip addr replace fd09:1::1/64 dev lan nodad; ip addr replace fd09:2::1/64 dev wan nodad"

// TestPlaceOnceIPv6ComesUp: the rules were installed while IPv6 was off.
func TestPlaceOnceIPv6ComesUp(t *testing.T) {
	w := newWorld(t)
	w.startProxy()
	w.gateway.sh("sysctl -qw net.ipv6.conf.all.disable_ipv6=1")
	w.watch(Spec{TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"lan"}})
	w.gateway.sh("sysctl -qw net.ipv6.conf.all.disable_ipv6=0\n" + gatewayAddrs)
	w.proxied("IPv6 came up")
}

// TestPlaceWhenTheInterfaceComesAnew: the ingress interface is deleted and made again.
func TestPlaceWhenTheInterfaceComesAnew(t *testing.T) {
	w := newWorld(t)
	w.startProxy()
	w.watch(Spec{TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"lan"}})
	w.proxied("installing")
	w.gateway.sh("ip link del lan")
	join(w.gateway, w.client, "lan", "eth0")
	w.gateway.sh("ip addr add 10.9.1.1/24 dev lan; ip addr add fd09:1::1/64 dev lan nodad; ip link set lan up")
	w.client.sh(`ip addr add 10.9.1.2/24 dev eth0; ip addr add fd09:1::2/64 dev eth0 nodad; ip link set eth0 up
		ip route add default via 10.9.1.1; ip route add default via fd09:1::1`)
	w.proxied("the interface came anew")
}

// TestNoPlaceBeforePriority0: what cannot be put right is said once, with the
// remedy, which mends it.
func TestNoPlaceBeforePriority0(t *testing.T) {
	w := newWorld(t)
	w.startProxy()
	x := w.watch(Spec{TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"lan"}})
	w.gateway.sh("ip rule add to 10.9.2.0/24 lookup main pref 0")
	wait(t, "the error", func() bool { _, errs := x.said(); return len(errs) > 0 })
	_, errs := x.said()
	_, remedy, _ := strings.Cut(errs[0].Error(), "give it a later one: ")
	if !strings.Contains(remedy, "ip rule del from all to 10.9.2.0/24 lookup main priority 0") {
		t.Fatalf("errors: %q", errs)
	}
	w.gateway.sh(remedy)
	w.proxied("the remedy")
	if _, errs = x.said(); len(errs) != 1 {
		t.Errorf("errors: %q", errs)
	}
}

// TestSomebodyInsists: what undoes each repair is named once, with what to do,
// and once it ends all is right again.
func TestSomebodyInsists(t *testing.T) {
	w := newWorld(t)
	w.startProxy()
	x := w.watch(Spec{TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"lan"}})
	quarrel := make(chan struct{})
	ended := make(chan struct{})
	w.gateway.thread().calls <- func() {
		defer close(ended)
		for {
			select {
			case <-quarrel:
				return
			default:
				mustRun(t, "ip rule del fwmark 0x1/0x1 2>/dev/null || sleep 0.01")
			}
		}
	}
	wait(t, "the error", func() bool { _, errs := x.said(); return len(errs) > 0 })
	repairs, errs := x.said()
	if repairs > manyRepairs || !strings.Contains(errs[0].Error(), "again and again") {
		t.Errorf("%d repairs, then %v", repairs, errs)
	}
	close(quarrel)
	<-ended
	w.proxied("the quarrel")
	if after, errs := x.said(); after > repairs || len(errs) > 1 {
		t.Errorf("then %d repairs more, %v", after-repairs, errs)
	}
}

// TestSourceCheckFollowsMark: wg-quick sets src_valid_mark, upon which the
// source of each packet is looked up with its mark. The source rule answers
// that; without it, as under Output, every diverted packet is a martian, and
// only the kernel can tell. The remedy that is named mends it.
func TestSourceCheckFollowsMark(t *testing.T) {
	w := newWorld(t)
	w.startProxy()
	spec := Spec{TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"lan"}}
	x := w.watch(spec)
	w.gateway.sh("sysctl -qw net.ipv4.conf.all.src_valid_mark=1 net.ipv4.conf.lan.rp_filter=1\n" + both(wgQuick))
	w.proxied("wg-quick")
	if s := w.gateway.status(); !s.Complete() {
		t.Errorf("status:\n%s", s)
	}
	x.stop()
	spec.Output = true
	i := w.install(spec)
	w.expect(w.client, "tcp", serverAddrs[:1], servicePort, "silence")
	status := w.gateway.status()
	if status.Complete() || len(status.Faults) != 1 {
		t.Fatalf("status:\n%s", status)
	}
	w.gateway.do(func() {
		if _, fault, err := i.mend(true); fault == nil || err != nil {
			t.Errorf("mend: %v, %v", fault, err)
		}
	})
	remedy, persistent, _ := strings.Cut(status.Faults[0].Remedy, "; ")
	if persistent != "echo net.ipv4.conf.all.src_valid_mark=0 >> /etc/sysctl.d/90-sluice.conf" {
		t.Errorf("remedy: %s", status.Faults[0].Remedy)
	}
	w.gateway.sh(remedy)
	w.proxied("the remedy")
}

// TestStatusNamesWhatTakes: rules that nobody watches over are overtaken; the
// kernel's answer is told, and installing anew comes before it.
func TestStatusNamesWhatTakes(t *testing.T) {
	for name, c := range map[string]struct{ do, says string }{
		"wg-quick":  {both(wgQuick), "ip -6 rule 89: not from all fwmark 0xca6c/0xffffffff lookup 51820"},
		"a network": {"ip rule add to 10.9.2.0/24 prohibit pref 1", "ip rule 1: from all to 10.9.2.0/24 prohibit"},
		"a route":   {"ip route add throw 10.9.2.0/24 table 100", "ip route throw 10.9.2.0/24 table 100"},
		"deleted":   {"ip -6 rule del pref 90", "missing: ip -6 rule add fwmark 0x1/0x1 lookup 100 priority 90"},
		"replaced":  {"ip route replace default dev wan table 100", "ip route default dev wan table 100"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.startProxy()
			spec := Spec{TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"lan"}}
			apply := func() {
				w.gateway.do(func() {
					if _, err := Apply(spec); err != nil {
						t.Error(err)
					}
				})
			}
			status := func() (s Status) {
				w.gateway.do(func() {
					var err error
					if s, err = ReadStatus(); err != nil {
						t.Error(err)
					}
				})
				return s
			}
			apply()
			if s := status(); !s.Complete() {
				t.Errorf("at first:\n%s", s)
			}
			w.gateway.sh(c.do)
			if s := status(); s.Complete() || !strings.Contains(s.String(), c.says) {
				t.Errorf("status:\n%s", s)
			}
			apply()
			if s := status(); !s.Complete() {
				t.Errorf("installed anew:\n%s", s)
			}
			w.proxied("installing anew")
		})
	}
}
