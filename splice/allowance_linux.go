package splice

import "math"

// Allowance is how many bytes may yet be taken from each side. A side that has used its own up rests: what it sends waits in its
// receive queue, and so do its end and its failure behind that. Nothing of it is lost, and its peer's TCP is slowed down by the
// window.
type Allowance [2]uint64

// Unlimited, of one side of an Allowance, bounds nothing.
const Unlimited = math.MaxUint64

// PumpWithin is Pump that takes no more than a allows, and takes off a what it has taken. What a direction holds is delivered
// whatever a says. It does not answer Again for a side that rests: see Wants.
func (r *Relay) PumpWithin(a *Allowance) Status {
	r.w.left = *a
	status := r.move()
	*a = r.w.left
	return status
}

// Wants tells whether a side probably has something that the other has room for: bytes, an end or an error. After PumpWithin it is
// what an allowance was missing for.
func (r *Relay) Wants(from Side) bool {
	d := &r.dirs[from]
	return !d.ended && d.empty() && r.sides[from].seen&In != 0 && r.sides[from.other()].seen&Out != 0
}

// within cuts buf to what may be read of a side, one byte at least.
func (r *Relay) within(from Side, buf []byte) []byte {
	if left := r.w.left[from]; uint64(len(buf)) > left {
		return buf[:left]
	}
	return buf
}

// took takes n bytes off what may be taken of a side.
func (r *Relay) took(from Side, n int) { r.w.left[from] -= uint64(n) }
