package udp

import (
	"net/netip"
	"time"
)

const (
	// narrowKept is how long a path counts as narrow after it was last said to
	// be, as the kernel's own memory of it (net.ipv6.route.mtu_expires).
	narrowKept = int64(10 * time.Minute)
	// mostNarrow bounds the paths that a worker remembers, to some 300 KiB.
	mostNarrow = 4096
)

// narrowPaths are the IPv6 addresses towards which a router could not pass on what
// a sender had sent. The kernel cannot learn it, since no socket has the address
// that the error names. What goes there is cut into fragments that pass everywhere
// (pushFragments); IPv4's is cut by the routers.
type narrowPaths struct {
	until map[netip.Addr]int64 // ns of Reactor.Now
}

func (p *narrowPaths) init() { p.until = map[netip.Addr]int64{} }

// add notes that the path to a client is narrow. Where there is no room for
// another, those that are over are forgotten, and at worst all.
func (p *narrowPaths) add(client netip.Addr, now int64) {
	if _, known := p.until[client]; !known && len(p.until) >= mostNarrow {
		for c, until := range p.until {
			if until <= now {
				delete(p.until, c)
			}
		}
		if len(p.until) >= mostNarrow {
			clear(p.until)
		}
	}
	p.until[client] = now + narrowKept
}

// has reports whether the path to a client is narrow.
func (p *narrowPaths) has(client netip.Addr, now int64) bool {
	return len(p.until) > 0 && p.until[client] > now
}
