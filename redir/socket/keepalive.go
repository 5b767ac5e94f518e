package socket

import (
	"fmt"
	"time"
)

// Keepalive is how a TCP socket finds out that its peer has vanished, and keeps
// firewalls and NATs on the way from forgetting a connection that is silent
// (tcp(7) TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT). The zero value sends
// nothing.
type Keepalive struct {
	Idle     time.Duration // of silence before the first probe; whole seconds
	Interval time.Duration // from one probe to the next; whole seconds
	Count    int           // probes without an answer that end the connection
}

// The kernel's bounds, MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL and MAX_TCP_KEEPCNT
// of include/net/tcp.h.
const (
	mostKeepaliveTime  = 32767 * time.Second
	mostKeepaliveCount = 127
)

// On reports whether probes are sent.
func (k Keepalive) On() bool { return k.Idle > 0 }

// Patience is how long a peer may say nothing, while it is asked, before it
// counts as vanished.
func (k Keepalive) Patience() time.Duration { return k.Idle + time.Duration(k.Count)*k.Interval }

// Validate says what is out of the kernel's bounds.
func (k Keepalive) Validate() error {
	if !k.On() {
		return nil
	}
	for _, t := range []struct {
		name string
		d    time.Duration
	}{{"idle time", k.Idle}, {"interval", k.Interval}} {
		if t.d < time.Second || t.d > mostKeepaliveTime || t.d%time.Second != 0 {
			return fmt.Errorf("%s %v: want whole seconds, 1s to %v", t.name, t.d, mostKeepaliveTime)
		}
	}
	if k.Count < 1 || k.Count > mostKeepaliveCount {
		return fmt.Errorf("count %d: want 1 to %d", k.Count, mostKeepaliveCount)
	}
	return nil
}
