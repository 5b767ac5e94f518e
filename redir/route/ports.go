package route

import "sluice/redir/ruleset"

// portsOf are the ports of ranges; nil: there are none.
func portsOf(ranges []ruleset.PortRange) (p ruleset.Ports) {
	for _, r := range ranges {
		p = p.With(r)
	}
	return p
}
