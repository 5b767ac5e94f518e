package firewall

// Translates tells whether a chain gives packets of the family that leave
// another source. It takes any rule of such a chain for one that does.
func (r *Ruleset) Translates(ipv6 bool) bool {
	for _, c := range r.At(Postrouting, ipv6) {
		if c.Type == "nat" && len(c.Rules) > 0 {
			return true
		}
	}
	return false
}

// Untracks tells whether chains that are ours keep packets from the connection
// tracker.
func (r *Ruleset) Untracks(ours Ours) bool {
	for _, c := range r.At(Prerouting, false) {
		if !ours(c) {
			continue
		}
		for _, rule := range c.Rules {
			for _, e := range rule.exprs {
				if e.name == "notrack" {
					return true
				}
			}
		}
	}
	return false
}
