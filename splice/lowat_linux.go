package splice

import "golang.org/x/sys/unix"

// A direction is fast when one Pump moved fastEnough through a pipe. Its source then asks to be reported only once lowWater
// bytes wait (SO_RCVLOWAT, socket(7); tcp_epollin_ready in Linux's include/net/tcp.h), or when it ends or fails: fewer and
// fuller wake-ups, for the proxy and for both its peers: eight streams together moved a tenth more, at 0.85 of the CPU.
//
// What comes after a burst may be less than that, so whoever pumps must call Hurry once such a relay has been silent for a
// moment.
const (
	fastEnough = 256 << 10 // bytes
	lowWater   = 256 << 10 // bytes
)

// tolerate lets the kernel hold back what is less than lowWater.
func (r *Relay) tolerate(from Side) {
	r.dirs[from].tolerant = unix.SetsockoptInt(r.fd(from), unix.SOL_SOCKET, unix.SO_RCVLOWAT, lowWater) == nil
}

// Tolerant tells whether a side may have bytes that no edge tells of.
func (r *Relay) Tolerant() bool { return r.dirs[A].tolerant || r.dirs[B].tolerant }

// Hurry makes every byte count again; Pump then finds those that had been held back.
func (r *Relay) Hurry() {
	for s := range r.dirs {
		if d := &r.dirs[s]; d.tolerant {
			d.tolerant = false
			unix.SetsockoptInt(r.fd(Side(s)), unix.SOL_SOCKET, unix.SO_RCVLOWAT, 1)
			r.sides[s].seen |= In
		}
	}
}
