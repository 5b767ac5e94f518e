package splice

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// pipe carries spliced bytes between two sockets of one direction.
type pipe struct {
	r, w int // fds
	size int // bytes, as F_GETPIPE_SZ tells
	held int // bytes inside
	kind pipeKind
}

// pipeKind says what a pipe is made for.
type pipeKind uint8

const (
	widePipe   pipeKind = iota // all that its configured size takes
	packetPipe                 // one packet: as many fragments as one sendmsg of the kernel takes; see piece_linux.go
)

// pipePool keeps empty pipes for reuse. A pipe that holds bytes never enters it.
type pipePool struct {
	shelves [2]shelf // by pipeKind
	most    int      // bound of open
	open    int      // pipes that exist, lent or idle
	holdoff int      // takes to refuse before the kernel is asked again
	granted int      // bytes of the wide pipe that was opened last
	ever    uint64
	denied  uint64
	misses  uint64
}

// shelf holds the idle pipes of one kind.
type shelf struct {
	size   int     // bytes wanted of a new pipe
	idle   []*pipe // the last used is the first to be lent again: its page slots are warm
	unused int     // fewest idle since the last trim
}

func newPipePool(size, most int) pipePool {
	return pipePool{shelves: [2]shelf{{size: size}, {size: packetFragments * os.Getpagesize()}}, most: most}
}

// deniedHoldoff is the number of takes for which a refusal of the kernel is believed: asking costs four calls.
const deniedHoldoff = 64

// take lends an empty pipe, or nil when the pool is at its bound or the kernel has none to give.
func (p *pipePool) take(kind pipeKind) *pipe {
	s := &p.shelves[kind]
	if n := len(s.idle); n > 0 {
		got := s.idle[n-1]
		s.idle = s.idle[:n-1]
		s.unused = min(s.unused, n-1)
		return got
	}
	s.unused = 0
	if p.holdoff == 0 && p.makeRoom(kind) {
		if got := newPipe(s.size); got != nil {
			got.kind = kind
			p.open++
			p.ever++
			if kind == widePipe {
				p.granted = got.size
			}
			return got
		}
		p.denied++
		p.holdoff = deniedHoldoff
	}
	p.holdoff = max(0, p.holdoff-1)
	p.misses++
	return nil
}

// give takes a lent pipe back: into the pool if it is empty and within the bound, closed otherwise.
func (p *pipePool) give(x *pipe) {
	if x.held == 0 && p.open <= p.most {
		s := &p.shelves[x.kind]
		s.idle = append(s.idle, x)
		return
	}
	p.open--
	x.close()
}

// makeRoom tells whether one more pipe may be; at the bound an idle one of the other kind makes room for it.
func (p *pipePool) makeRoom(kind pipeKind) bool {
	if p.open >= p.most {
		other := &p.shelves[kind^1]
		p.closeIdle(other, min(1, len(other.idle)))
	}
	return p.open < p.most
}

// closeIdle closes n of the idle pipes.
func (p *pipePool) closeIdle(s *shelf, n int) {
	keep := len(s.idle) - n
	for _, x := range s.idle[keep:] {
		x.close()
	}
	clear(s.idle[keep:])
	s.idle = s.idle[:keep]
	s.unused = min(s.unused, keep)
	p.open -= n
}

// trim closes the pipes that nobody needed since the last trim.
func (p *pipePool) trim() {
	for i := range p.shelves {
		s := &p.shelves[i]
		p.closeIdle(s, s.unused)
		s.unused = len(s.idle)
	}
}

// setMost replaces the bound; idle pipes beyond a lower one are closed.
func (p *pipePool) setMost(most int) {
	p.most = most
	for i := range p.shelves {
		s := &p.shelves[i]
		p.closeIdle(s, min(len(s.idle), max(0, p.open-most)))
	}
}

// closeAllIdle tells whether there was an idle pipe.
func (p *pipePool) closeAllIdle() bool {
	before := p.open
	for i := range p.shelves {
		s := &p.shelves[i]
		p.closeIdle(s, len(s.idle))
	}
	return p.open < before
}

// close closes every idle pipe, and every lent one when it comes back.
func (p *pipePool) close() {
	p.closeAllIdle()
	p.most = 0
}

// idle is the number of pipes that are not lent.
func (p *pipePool) idle() (n int) {
	for _, s := range p.shelves {
		n += len(s.idle)
	}
	return n
}

// newPipe opens a pipe of size bytes, or of half as many, and so on, where the kernel does not grant that; nil if what it grants
// is not worth having. An unprivileged user near /proc/sys/fs/pipe-user-pages-soft gets EPERM from F_SETPIPE_SZ, and beyond it
// pipes of two pages (pipe(7)).
func newPipe(size int) *pipe {
	var fds [2]int
	if unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK) != nil {
		return nil
	}
	p := &pipe{r: fds[0], w: fds[1]}
	for ; size >= minPipeSize; size /= 2 {
		if granted, err := unix.FcntlInt(uintptr(p.r), unix.F_SETPIPE_SZ, size); err == nil {
			p.size = granted
			return p
		}
	}
	if granted, err := unix.FcntlInt(uintptr(p.r), unix.F_GETPIPE_SZ, 0); err == nil && granted >= minPipeSize {
		p.size = granted
		return p
	}
	p.close()
	return nil
}

func (p *pipe) close() {
	unix.Close(p.r)
	unix.Close(p.w)
}

// pipeSizeLimit is the largest pipe in bytes that an unprivileged process may ask for.
func pipeSizeLimit() int {
	const kernelDefault = 1 << 20 // pipe(7), since Linux 2.6.35
	text, err := os.ReadFile("/proc/sys/fs/pipe-max-size")
	if err != nil {
		return kernelDefault
	}
	limit, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return kernelDefault
	}
	return max(limit, minPipeSize)
}
