package splice

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// together is what relays need that are moved together: places for what each direction reads.
type together struct {
	calls  Calls  // nil: each call is made alone
	memory []byte // mapped, of all places
	size   int    // bytes of a place
	places []place
	used   int
	dirty  bool // something was read since the last trim
}

// place is where one direction's bytes are between their read and their write.
type place struct {
	call  int
	n     int
	errno syscall.Errno
}

const (
	// mostPlaces is in directions. Relays are numbered by a byte, and 64 places of 64 KiB are what a batch of datagrams has.
	mostPlaces = 64
	// mostPlaceSize is in bytes. A read that fills a place goes on alone.
	mostPlaceSize = 64 << 10
	// placeGap keeps the beginnings of places, in which most messages end, out of the same sets of the processor's caches (loop.slotStride).
	placeGap = 20 * 64
)

// init maps the places; without memory for them, each call is made alone.
func (t *together) init(calls Calls, bufferSize int) {
	if calls == nil {
		return
	}
	t.size = min(bufferSize, mostPlaceSize)
	n := min(mostPlaces, calls.MostCalls())
	memory, err := unix.Mmap(-1, 0, n*(t.size+placeGap), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return
	}
	t.calls, t.memory, t.places = calls, memory, make([]place, n)
}

// buffer is that of a place.
func (t *together) buffer(i int) []byte {
	at := i * (t.size + placeGap)
	return t.memory[at : at+t.size : at+t.size]
}

// trim gives back the memory that places hold.
func (t *together) trim() {
	if t.dirty {
		t.dirty = false
		unix.Madvise(t.memory, unix.MADV_DONTNEED)
	}
}

func (t *together) close() {
	if t.memory != nil {
		unix.Munmap(t.memory)
		*t = together{}
	}
}

// MostTogether is how many relays MoveTogether takes at most; 0 where there is nothing to be made together.
func (w *Workspace) MostTogether() int { return len(w.together.places) / 2 }

// MoveTogether makes the first read of each direction of many relays by one system call, and by another the writes of what
// they have brought. A Pump must follow for each of the relays, before anything else is done with it but Release: it accounts for
// both, and does all that is left, which for a message is mostly nothing.
//
// Only what is copied is read so. One relay alone has nothing of it: then no call is made.
func (w *Workspace) MoveTogether(relays []*Relay) {
	t := &w.together
	t.used = 0
	if len(relays) < 2 {
		return
	}
	for _, r := range relays {
		r.readTogether(A)
		r.readTogether(B)
	}
	if t.used == 0 {
		return
	}
	t.dirty = true
	t.calls.Make()
	for i := range t.used {
		p := &t.places[i]
		p.n, p.errno = t.calls.Result(p.call)
	}
	for _, r := range relays {
		r.sendTogether(A)
		r.sendTogether(B)
	}
	t.calls.Make()
}

// readTogether gathers what would be the first call of Pump for a direction, if that would copy.
func (r *Relay) readTogether(from Side) {
	d, src, t := &r.dirs[from], &r.sides[from], &r.w.together
	if r.places[from] != 0 || r.failed || d.ended || !d.empty() || src.seen&(In|Urgent) != In ||
		r.sides[from.other()].seen&Out == 0 || r.wantsPipe(d) || t.used == len(t.places) {
		return
	}
	t.places[t.used].call = t.calls.Recv(int(src.fd), t.buffer(t.used), 0)
	t.used++
	r.places[from] = uint8(t.used)
}

// sendTogether gathers the write of what a direction has read.
func (r *Relay) sendTogether(from Side) {
	if r.places[from] == 0 {
		return
	}
	t, i := &r.w.together, int(r.places[from])-1
	if p := &t.places[i]; p.n > 0 {
		r.arrived(from, p.n, t.size)
		p.call = t.calls.Send(r.fd(from.other()), t.buffer(i)[:p.n], r.dirs[from].withEnd())
	}
}

// settle accounts for what MoveTogether did, first for a direction whose read has failed: that was before the other's write.
func (r *Relay) settle() {
	first := A
	if i := r.places[B]; i != 0 && r.w.together.places[i-1].n == 0 {
		first = B
	}
	r.settleDirection(first)
	r.settleDirection(first.other())
}

func (r *Relay) settleDirection(from Side) {
	if r.places[from] == 0 {
		return
	}
	t, i := &r.w.together, int(r.places[from])-1
	r.places[from] = 0
	p := &t.places[i]
	if p.n == 0 {
		r.readFailed(from, p.errno)
		return
	}
	n, errno := t.calls.Result(p.call)
	r.sent(from, t.buffer(i)[:p.n], n, errno)
}
