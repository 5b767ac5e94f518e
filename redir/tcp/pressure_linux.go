package tcp

import (
	"net/netip"
	"time"

	"sluice/redir/admit"
)

const (
	// pressurePatience is how long (ns) a queue may hold more than a turn takes
	// before its listener is behind: the bursts of programs that start are over by
	// then.
	pressurePatience = int64(time.Second)
	// pressureBurst is how much (ns) of its pace a client may open at once then.
	pressureBurst = int64(100 * time.Millisecond)
	// pressureHold is how long (ns) a client's pace is held after nobody needed
	// it any more.
	pressureHold = int64(time.Second)
	// pressurePart is what one client may have of what the listener carried when
	// it fell behind, as 1/pressurePart.
	pressurePart = 4
)

// pressure tells whether a listener is behind, and how fast one client may open
// connections then. Without it the queue is in the hands of who fills it: clients
// are served in the order of their arrival. A client that is alone may open as
// fast as it can.
type pressure struct {
	since    int64 // ns of the turn that first left connections in the queue; 0: it was empty since
	accepted int64 // since then
	first    netip.Addr
	others   bool // than first came too

	until   int64 // ns; 0: never was behind
	pace    admit.Pace
	heavy   netip.Addr // who was refused last
	otherAt int64      // ns; when another came
}

// came notes a connection at now, and returns its client's pace.
func (p *pressure) came(addr netip.Addr, now int64) admit.Pace {
	if p.since != 0 {
		if p.accepted == 0 {
			p.first = addr
		} else if addr != p.first {
			p.others = true
		}
		p.accepted++
	}
	if now >= p.until {
		return admit.Pace{}
	}
	if addr != p.heavy {
		p.otherAt = now
	}
	return p.pace
}

// refused notes that a client was faster than its pace, which holds on as long
// as others come beside it.
func (p *pressure) refused(addr netip.Addr, now int64) {
	p.heavy = addr
	if now-p.otherAt < pressureHold {
		p.until = max(p.until, now+pressureHold)
	}
}

// emptied notes that nothing is left in the queue.
func (p *pressure) emptied() { p.since = 0 }

// left notes that a turn has left connections in the queue.
func (p *pressure) left(now int64) {
	switch {
	case p.since == 0:
		p.since, p.accepted, p.others = now, 0, false
	case now-p.since < pressurePatience || now < p.until || !p.others:
	default:
		p.pace = admit.Pace{Interval: pressurePart * (now - p.since) / p.accepted, Burst: pressureBurst}
		p.until, p.otherAt = now+pressureHold, now
		p.since = 0
	}
}
