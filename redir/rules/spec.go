package rules

import (
	"fmt"
	"net/netip"
	"strings"
)

// Via is the way in which netfilter hands traffic over.
type Via string

// Fail says what becomes of traffic while nobody listens.
type Fail string

// Established says what becomes of flows that began before the rules came.
type Established string

// The values of Via, Fail and Established.
const (
	TProxy   Via = "tproxy"
	Redirect Via = "redirect" // TCP only

	Closed Fail = "closed" // dropped (redirect: refused)
	Open   Fail = "open"   // forwarded without the proxy

	Keep   Established = "keep"   // left alone; needs conntrack
	Divert Established = "divert" // diverted, which ends them (TCP: by a reset)
)

// Defaults of Spec's zero values.
const (
	DefaultMark    = 0x1
	DefaultMask    = 0x1
	DefaultOwnMark = 0x2
	// DefaultCTMark and DefaultCTMask are a bit of the conntrack mark that wg-quick
	// (51820, 0xca6c), mwan3 (0x3f00), Tailscale and OpenWrt's pbr (0xff0000),
	// Kubernetes (0xc000) and qos-scripts (0xff) leave alone.
	DefaultCTMark = 0x10000000
	DefaultCTMask = 0x10000000
	DefaultTable  = 100

	// DefaultRulePriority stands after the local table (0) and before what
	// others take: Calico 99, netplan's and libreswan's examples 100, strongSwan
	// 220, the VPC plugins of Kubernetes 512 and later, VRFs (l3mdev) 1000, mwan3
	// 1001 to 3000, Tailscale 5210 to 5270, OpenWrt 10000, pbr and NetworkManager
	// 30000, main 32766. Who names no priority, as wg-quick, and systemd-networkd
	// where none is configured, gets the one below the lowest but 0
	// (fib_default_rule_pref), which is below any that we could have: so there
	// must be room below, and ours moves there when it happens.
	DefaultRulePriority = 90

	priorityMangle    = -150 // NF_IP_PRI_MANGLE, linux/netfilter_ipv4.h
	priorityDstNAT    = -100 // NF_IP_PRI_NAT_DST
	priorityConntrack = -200 // NF_IP_PRI_CONNTRACK
)

// PortRange is an inclusive range of destination ports.
type PortRange struct{ Lo, Hi uint16 }

func (r PortRange) String() string {
	if r.Lo == r.Hi {
		return fmt.Sprint(r.Lo)
	}
	return fmt.Sprintf("%d-%d", r.Lo, r.Hi)
}

// ParsePortRange reads "443" or "8000-8999".
func ParsePortRange(text string) (PortRange, error) {
	lo, hi, ranged := strings.Cut(text, "-")
	if !ranged {
		hi = lo
	}
	first, err1 := parsePort(lo)
	last, err2 := parsePort(hi)
	if err1 != nil || err2 != nil || first > last {
		return PortRange{}, fmt.Errorf("destination port %q: want a port or a range, as 443 or 8000-8999", text)
	}
	return PortRange{first, last}, nil
}

// Spec is what the operator wants diverted, and how. Zero values mean the
// defaults named here. A Spec is never changed by this package.
type Spec struct {
	TCPPort, UDPPort uint16     // where sluice listens; 0: this protocol is not diverted, but by Ways
	Ways             []Way      // ports for what arrives by some interfaces, before the above and Ifaces
	Listeners        []Listener // also what goes to these

	Via         Via         // TProxy
	Fail        Fail        // Closed
	Established Established // Keep

	Ifaces           []string       // ingress, names or patterns as ppp*; none: every interface but lo
	Oifaces          []string       // what would leave by these; none: by any interface
	BetweenIfaces    bool           // also what goes from one of Ifaces to another
	Dports           []PortRange    // none: every port
	Include, Exclude []netip.Prefix // destinations; no Include: every one
	Decisions        []Decision     // of what is left then: which of it the kernel forwards

	Output        bool     // divert the gateway's own traffic too
	ExcludeUIDs   []uint32 // of the gateway's own traffic
	ExcludeCgroup string   // of the gateway's own traffic: a path below the cgroup v2 mount

	Mark, Mask uint32 // fwmark: 0x1/0x1
	Table      int    // routing table of the local route: 100; the next free one where others use it
	OwnMark    uint32 // mark on sluice's own sockets, of which its own bits count: 0x2
	CTMark     uint32 // conntrack mark of diverted flows: 0x10000000
	CTMask     uint32 // 0x10000000
	Priority   *int   // of the table's chains: mangle (-150), or dstnat (-100) for Redirect

	RulePriority *int // of the policy rule: 90; less where others stand before it

	Sources   Sources // that sluice's sockets towards destinations bear: the gateway's
	CTOwn     uint32  // conntrack mark of sluice's own flows that bear clients' addresses: 0x20000000
	CTOwnMask uint32  // 0x20000000

	CTLeft     uint32 // conntrack mark of flows that Decisions leave to the kernel: 0x40000000
	CTLeftMask uint32 // 0x40000000

	NoTrack bool // keep conntrack from entries for diverted flows and sluice's own

	Sysctl bool // change the sysctls that must change, and put them back
}

// withDefaults fills in the zero values.
func (s Spec) withDefaults() Spec {
	if s.Via == "" {
		s.Via = TProxy
	}
	if s.Fail == "" {
		s.Fail = Closed
	}
	if s.Established == "" {
		s.Established = Keep
	}
	if s.Mark == 0 && s.Mask == 0 {
		s.Mark, s.Mask = DefaultMark, DefaultMask
	}
	if s.Table == 0 {
		s.Table = DefaultTable
	}
	if s.OwnMark == 0 {
		s.OwnMark = DefaultOwnMark
	}
	if s.CTMark == 0 && s.CTMask == 0 {
		s.CTMark, s.CTMask = DefaultCTMark, DefaultCTMask
	}
	if s.CTOwn == 0 && s.CTOwnMask == 0 {
		s.CTOwn, s.CTOwnMask = DefaultCTOwn, DefaultCTOwnMask
	}
	if s.CTLeft == 0 && s.CTLeftMask == 0 {
		s.CTLeft, s.CTLeftMask = DefaultCTLeft, DefaultCTLeftMask
	}
	s.Ifaces, s.Oifaces = interfaces(s.Ifaces), interfaces(s.Oifaces)
	s = s.withWays().withListeners().withDecisions()
	if s.Priority == nil {
		priority := priorityMangle
		if s.Via == Redirect {
			priority = priorityDstNAT
		}
		s.Priority = &priority
	}
	if s.RulePriority == nil {
		priority := DefaultRulePriority
		s.RulePriority = &priority
	}
	return s
}
