package udp

import (
	"net/netip"
	"time"

	"sluice/nat"
	"sluice/redir/inbound"
)

// leastTimeout is what RFC 4787, REQ-5, demands of a mapping (ns), but for
// destination ports below 1024 whose registered application needs less (REQ-5a).
const leastTimeout = int64(2 * time.Minute)

// asksAt reports whether dest is where lookups go: the ports of DNS and NTP,
// applications that ask, are answered, and wait for nothing more.
func asksAt(dest netip.AddrPort) bool { return dest.Port() == 53 || dest.Port() == 123 }

// timeoutsOf returns how long a session of in may be idle. The short time is for
// one with fewer than three exchanges that has not lasted ([nat.Timeouts]): a
// VPN at port 53 thus keeps the long one. Only where a session has written to no
// port but those of lookups may it be less than leastTimeout.
func timeoutsOf(in *inbound.Inbound, lookups bool) nat.Timeouts {
	t := nat.Timeouts{Brief: in.QueryTimeout, Full: in.FlowTimeout}
	if !lookups {
		t.Brief = max(t.Brief, leastTimeout)
	}
	return t
}
