package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"sluice/redir/rules"
	"sluice/redir/source"
	"sluice/redir/value"
)

// RuleFlags are the flags that say what to divert, for `sluice rules` and for
// `sluice run --install-rules`.
type RuleFlags struct {
	Via           string      `each:"tproxy: TCP and UDP, with their addresses; redirect: TCP alone, by NAT" group:"rules" enum:"tproxy,redirect" default:"tproxy" help:"How netfilter hands traffic over: tproxy, or redirect (TCP alone)."`
	Fail          string      `each:"closed: traffic is dropped while sluice does not listen; open: it is forwarded without sluice" group:"rules" enum:"open,closed" default:"closed" help:"While sluice is not listening, traffic is forwarded without it (open) or dropped (closed)."`
	Iface         []string    `complete:"interfaces" brief:"Divert what arrives here; else on all but lo." group:"rules" placeholder:"NAME" help:"Divert what arrives here, an interface or a pattern as ppp* or wg+ (repeatable); else on every interface but lo."`
	Oiface        []string    `complete:"interfaces" group:"rules" placeholder:"NAME" help:"Divert only what would leave by this interface, by the routing tables (repeatable, patterns too)."`
	BetweenIfaces bool        `group:"rules" help:"Divert also what goes from one --iface to another, past the rules of forward between them; else the kernel forwards it. (Without --iface everything is diverted, this too.)"`
	Dport         []portRange `group:"rules" placeholder:"PORTS" help:"Divert these destination ports alone, as 80,443,8000-8999."`
	Include       []network   `group:"rules" placeholder:"CIDR" help:"Divert these destinations alone (repeatable)."`
	Exclude       []network   `brief:"Leave these destinations alone." group:"rules" placeholder:"CIDR" help:"Leave these destinations alone (repeatable)."`
	Established   string      `each:"keep: flows that began before are left alone; divert: they end" group:"rules" enum:"keep,divert" default:"keep" help:"Flows that began before the rules: left alone (keep, asks conntrack) or diverted, which ends them."`

	Output        bool     `group:"rules" help:"Divert the gateway's own traffic too (where packets are not tracked, replies of its services as well)."`
	ExcludeUID    []uint32 `name:"exclude-uid" group:"rules" placeholder:"UID" help:"Of the gateway's own traffic, leave this user's alone (repeatable)."`
	ExcludeCgroup string   `group:"rules" placeholder:"PATH" help:"Of the gateway's own traffic, leave this cgroup's alone, as system.slice/sluice.service."`

	FWMark       fwmark `name:"fwmark" group:"rules" default:"0x1/0x1" placeholder:"MARK/MASK" help:"Mark of diverted packets (${default})."`
	CTMark       fwmark `name:"ct-mark" group:"rules" default:"0x10000000/0x10000000" placeholder:"MARK/MASK" help:"Conntrack mark of diverted flows (${default})."`
	CTOwnMark    fwmark `name:"ct-own-mark" group:"rules" default:"0x20000000/0x20000000" placeholder:"MARK/MASK" help:"Conntrack mark of sluice's own flows that bear clients' addresses (${default}), see --source."`
	CTLeftMark   fwmark `name:"ct-left-mark" group:"rules" default:"0x40000000/0x40000000" placeholder:"MARK/MASK" help:"Conntrack mark of flows that routes leave to the kernel (${default})."`
	Table        int    `group:"rules" default:"100" range:"1..2147483647" help:"Routing table of the local route (${default}); the next free one where others use it."`
	Priority     *int   `group:"rules" placeholder:"N" help:"Priority of the table's chains, as --priority=-140 (tproxy: -150, redirect: -100)."`
	RulePriority *int   `group:"rules" placeholder:"N" help:"Priority of the policy rule (90), which moves before rules of others that would take diverted packets."`
	NoTrack      bool   `name:"notrack" group:"rules" help:"Make no conntrack entries for what is diverted and for what sluice sends (tproxy, fail closed). Firewall rules must accept it untracked; servers behind the gateway cannot answer by UDP. See doctor."`
	Sysctl       bool   `group:"rules" help:"Change the sysctls that must change, and put them back."`
}

// Spec is what the flags and the ports that sluice listens on (0: not
// diverted) come to.
func (f RuleFlags) Spec(tcpPort, udpPort uint16, ownMark uint32) rules.Spec {
	spec := rules.Spec{
		TCPPort: tcpPort, UDPPort: udpPort, OwnMark: ownMark,
		Via: rules.Via(f.Via), Fail: rules.Fail(f.Fail), Established: rules.Established(f.Established),
		Ifaces: f.Iface, Oifaces: f.Oiface, BetweenIfaces: f.BetweenIfaces, Output: f.Output, ExcludeUIDs: f.ExcludeUID, ExcludeCgroup: f.ExcludeCgroup,
		Mark: f.FWMark.mark, Mask: f.FWMark.mask, CTMark: f.CTMark.mark, CTMask: f.CTMark.mask, CTOwn: f.CTOwnMark.mark, CTOwnMask: f.CTOwnMark.mask, CTLeft: f.CTLeftMark.mark, CTLeftMask: f.CTLeftMark.mask, Table: f.Table, Priority: f.Priority, RulePriority: f.RulePriority, NoTrack: f.NoTrack, Sysctl: f.Sysctl,
	}
	for _, ports := range f.Dport {
		spec.Dports = append(spec.Dports, ports.PortRange)
	}
	for _, n := range f.Include {
		spec.Include = append(spec.Include, n.Prefix)
	}
	for _, n := range f.Exclude {
		spec.Exclude = append(spec.Exclude, n.Prefix)
	}
	return spec
}

// sourcesOf are what the rules must know of the sources of inbounds.
func sourcesOf(all []source.Source) (sources rules.Sources) {
	for _, s := range all {
		sources.Clients = sources.Clients || s.OfClients()
		sources.Ports = sources.Ports || s.Kind == source.Client
		for _, addr := range []netip.Addr{s.IPv4, s.IPv6} {
			if addr.IsValid() && !slices.Contains(sources.Addrs, addr) {
				sources.Addrs = append(sources.Addrs, addr)
			}
		}
	}
	return sources
}

// portRange is destination ports, as 443 or 8000-8999.
type portRange struct{ rules.PortRange }

func (r *portRange) UnmarshalText(text []byte) (err error) {
	r.PortRange, err = rules.ParsePortRange(string(text))
	return err
}

// network is a CIDR, or an address as a network of one.
type network struct{ netip.Prefix }

func (n *network) UnmarshalText(text []byte) error {
	prefix, err := netip.ParsePrefix(string(text))
	if addr, addrErr := netip.ParseAddr(string(text)); addrErr == nil && addr.Zone() == "" {
		prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	if err != nil {
		return fmt.Errorf("%q: want a network or an address, as 192.0.2.0/24 or 2001:db8::1", text)
	}
	if prefix != prefix.Masked() {
		return fmt.Errorf("%q: bits are set beyond the prefix: want %s", text, prefix.Masked())
	}
	n.Prefix = prefix
	return nil
}

// fwmark is 0x1/0x1, or 0x1 for the whole mark.
type fwmark struct{ mark, mask uint32 }

func (m *fwmark) UnmarshalText(text []byte) error {
	first, bits, masked := strings.Cut(string(text), "/")
	if !masked {
		bits = "0xffffffff"
	}
	mark, err1 := value.Unsigned(first, 32)
	mask, err2 := value.Unsigned(bits, 32)
	if err1 != nil || err2 != nil || mark == 0 {
		return fmt.Errorf("%q: want a mark other than 0 and its mask, as 0x1/0x1", text)
	}
	m.mark, m.mask = uint32(mark), uint32(mask)
	return nil
}

func (m fwmark) String() string { return fmt.Sprintf("%#x/%#x", m.mark, m.mask) }
