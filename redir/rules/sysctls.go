package rules

import "strings"

// Sysctl is a kernel setting that the rules need.
type Sysctl struct {
	Name string // path below /proc/sys: net/ipv4/ip_forward; in a Plan an interface in it may be a pattern
	Want string
	Why  string
}

// Command is what an operator types to set it.
func (s Sysctl) Command() string { return "sysctl -w " + sysctlName(s.Name) + "=" + s.Want }

// Persistent is what an operator types so that it is set at every start: by
// systemd-sysctl, or sysctl --system.
func (s Sysctl) Persistent() string {
	return "echo " + sysctlName(s.Name) + "=" + s.Want + " >> " + sysctlFile
}

// sysctlFile comes late among its neighbours, which are read in order.
const sysctlFile = "/etc/sysctl.d/90-sluice.conf"

// ofBridge tells whether it matters to bridges alone.
func (s Sysctl) ofBridge() bool { return strings.HasPrefix(s.Name, "net/bridge/") }

// sysctlName is sysctl(8)'s dotted form, unless an interface's name has a dot
// of its own: then the path form, which sysctl(8) takes as well.
func sysctlName(path string) string {
	if strings.Contains(path, ".") {
		return path
	}
	return strings.ReplaceAll(path, "/", ".")
}

// sysctlsFor lists the settings that the Spec needs where they exist.
func sysctlsFor(s Spec) []Sysctl {
	const forwards = "what is not diverted is forwarded"
	needs := []Sysctl{
		{"net/ipv4/ip_forward", "1", forwards},
		{"net/ipv6/conf/all/forwarding", "1", forwards},
	}
	switch {
	case !s.diverts() && s.Fail == Closed: // delivered or dropped, whatever else the machine does
		return nil
	case !s.diverts() || s.Via == Redirect:
		return needs
	}
	// The source rule keeps src_valid_mark from doing harm; with Output there is
	// none.
	const martian = "otherwise the source check follows the mark and drops diverted packets"
	if s.Output {
		for _, where := range append([]string{"all"}, s.Ingress()...) {
			needs = append(needs, Sysctl{"net/ipv4/conf/" + where + "/src_valid_mark", "0", martian})
		}
	}
	// br_netfilter runs prerouting on the bridge, before the packet is routed,
	// and not again when it is, so the socket that TPROXY found is lost.
	const bridged = "otherwise a bridge runs the rules too early, which undoes TPROXY"
	return append(needs,
		Sysctl{"net/bridge/bridge-nf-call-iptables", "0", bridged},
		Sysctl{"net/bridge/bridge-nf-call-ip6tables", "0", bridged})
}
