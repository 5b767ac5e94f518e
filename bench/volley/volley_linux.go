package volley

import (
	"errors"
	"net/netip"

	"sluice/bench/dgram"
	"sluice/bench/frame"
)

// Volley is a set of slots and a sender. It belongs to one goroutine and may serve
// many sockets in turn.
type Volley struct {
	size, run int // bytes of a frame; frames of a run, 1 without UDP_SEGMENT
	buf       []byte
	slots     []frame.Slot
	tx        *dgram.Sender
}

// New makes a volley of up to n frames of size bytes. With gso, frames go in runs
// (UDP_SEGMENT) until the kernel or the path refuses one.
func New(n, size int, gso bool) *Volley {
	v := &Volley{size: size, run: 1, buf: make([]byte, n*size), slots: make([]frame.Slot, n), tx: dgram.NewSender(n)}
	if gso {
		v.run = max(1, min(dgram.MaxSegments, dgram.MaxRun/size))
	}
	for i := range v.slots {
		v.slots[i] = frame.NewSlot(v.buf[i*size:(i+1)*size], uint64(i))
	}
	return v
}

// Len is the greatest number of frames that one Send takes.
func (v *Volley) Len() int { return len(v.slots) }

// Send sends n frames like h with the seqs from h.Seq on, and returns how many the
// socket took. A full socket takes fewer, and is no error.
func (v *Volley) Send(s dgram.Socket, to netip.AddrPort, from netip.Addr, h frame.Header, n int) (int, error) {
	n = min(n, len(v.slots))
	for i := range n {
		v.slots[i].Put(h)
		h.Seq++
	}
	sent, err := v.send(s, to, from, 0, n)
	if errors.Is(err, dgram.ErrSegment) && v.run > 1 {
		v.run = 1
		var more int
		more, err = v.send(s, to, from, sent, n)
		sent += more
	}
	return sent, err
}

// send sends the slots from first to n.
func (v *Volley) send(s dgram.Socket, to netip.AddrPort, from netip.Addr, first, n int) (int, error) {
	segment := 0
	if v.run > 1 {
		segment = v.size
	}
	for i := first; i < n; i += v.run {
		v.tx.Add(v.buf[i*v.size:min(i+v.run, n)*v.size], segment, to, from)
	}
	messages, err := v.tx.Send(s)
	return min(messages*v.run, n-first), err
}
