package main

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"sluice/redir/rules"
)

// RuleFlags are the flags that say what to divert, for `sluice rules` and for
// `sluice run --install-rules`.
type RuleFlags struct {
	Via         string   `group:"rules" enum:"tproxy,redirect" default:"tproxy" help:"How netfilter hands traffic over: tproxy, or redirect (TCP alone)."`
	Fail        string   `group:"rules" enum:"open,closed" default:"closed" help:"While sluice is not listening, traffic is forwarded without it (open) or dropped (closed)."`
	Iface       []string `group:"rules" placeholder:"NAME" help:"Divert what arrives here (repeatable); else on every interface but lo."`
	Dport       []string `group:"rules" placeholder:"PORTS" help:"Divert these destination ports alone, as 80,443,8000-8999."`
	Include     []string `group:"rules" placeholder:"CIDR" help:"Divert these destinations alone (repeatable)."`
	Exclude     []string `group:"rules" placeholder:"CIDR" help:"Leave these destinations alone (repeatable)."`
	Established string   `group:"rules" enum:"keep,divert" default:"keep" help:"Flows that began before the rules: left alone (keep, asks conntrack) or diverted, which ends them."`

	Output        bool     `group:"rules" help:"Divert the gateway's own traffic too."`
	ExcludeUID    []uint32 `name:"exclude-uid" group:"rules" placeholder:"UID" help:"Of the gateway's own traffic, leave this user's alone (repeatable)."`
	ExcludeCgroup string   `group:"rules" placeholder:"PATH" help:"Of the gateway's own traffic, leave this cgroup's alone, as system.slice/sluice.service."`

	FWMark   string `name:"fwmark" group:"rules" default:"0x1/0x1" placeholder:"MARK/MASK" help:"Mark of diverted packets (${default})."`
	Table    int    `group:"rules" default:"100" help:"Routing table of the local route (${default})."`
	Priority *int   `group:"rules" placeholder:"N" help:"Priority of the table's chains, as --priority=-140 (tproxy: -150, redirect: -100)."`
	Sysctl   bool   `group:"rules" help:"Change the sysctls that must change, and put them back."`
}

// Spec is what the flags and the ports that sluice listens on (0: not
// diverted) come to. Its errors name the flag.
func (f RuleFlags) Spec(tcpPort, udpPort uint16, ownMark uint32) (rules.Spec, error) {
	spec := rules.Spec{
		TCPPort: tcpPort, UDPPort: udpPort, OwnMark: ownMark,
		Via: rules.Via(f.Via), Fail: rules.Fail(f.Fail), Established: rules.Established(f.Established),
		Ifaces: f.Iface, Output: f.Output, ExcludeUIDs: f.ExcludeUID, ExcludeCgroup: f.ExcludeCgroup,
		Table: f.Table, Priority: f.Priority, Sysctl: f.Sysctl,
	}
	var err error
	if spec.Mark, spec.Mask, err = parseMark(f.FWMark); err != nil {
		return rules.Spec{}, err
	}
	for _, text := range f.Dport {
		ports, err := rules.ParsePortRange(text)
		if err != nil {
			return rules.Spec{}, fmt.Errorf("--dport: %w", err)
		}
		spec.Dports = append(spec.Dports, ports)
	}
	if spec.Include, err = parsePrefixes("--include", f.Include); err != nil {
		return rules.Spec{}, err
	}
	if spec.Exclude, err = parsePrefixes("--exclude", f.Exclude); err != nil {
		return rules.Spec{}, err
	}
	return spec, nil
}

// parseMark reads 0x1/0x1, or 0x1 for the whole mark.
func parseMark(text string) (mark, mask uint32, err error) {
	value, bits, masked := strings.Cut(text, "/")
	if !masked {
		bits = "0xffffffff"
	}
	m, err1 := strconv.ParseUint(value, 0, 32)
	k, err2 := strconv.ParseUint(bits, 0, 32)
	if err1 != nil || err2 != nil || m == 0 {
		return 0, 0, fmt.Errorf("--fwmark %q: want a mark other than 0 and its mask, as 0x1/0x1", text)
	}
	return uint32(m), uint32(k), nil
}

// parsePrefixes reads networks, and addresses as networks of one.
func parsePrefixes(flag string, texts []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range texts {
		prefix, err := netip.ParsePrefix(text)
		if addr, addrErr := netip.ParseAddr(text); addrErr == nil && addr.Zone() == "" {
			prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s %q: want a network or an address, as 192.0.2.0/24 or 2001:db8::1", flag, text)
		}
		all = append(all, prefix)
	}
	return all, nil
}
