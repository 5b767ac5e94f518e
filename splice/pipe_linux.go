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
}

// pipePool keeps empty pipes for reuse. A pipe that holds bytes never enters it.
type pipePool struct {
	size    int     // bytes wanted of a new pipe
	most    int     // bound of open
	open    int     // pipes that exist, lent or idle
	idle    []*pipe // the last used is the first to be lent again: its page slots are warm
	unused  int     // fewest idle since the last trim
	holdoff int     // takes to refuse before the kernel is asked again
	ever    uint64
	denied  uint64
	misses  uint64
}

// deniedHoldoff is the number of takes for which a refusal of the kernel is believed: asking costs four calls.
const deniedHoldoff = 64

// take lends an empty pipe, or nil when the pool is at its bound or the kernel has none to give.
func (p *pipePool) take() *pipe {
	if n := len(p.idle); n > 0 {
		got := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.unused = min(p.unused, n-1)
		return got
	}
	p.unused = 0
	if p.open < p.most && p.holdoff == 0 {
		if got := newPipe(p.size); got != nil {
			p.open++
			p.ever++
			return got
		}
		p.denied++
		p.holdoff = deniedHoldoff
	}
	p.holdoff = max(0, p.holdoff-1)
	p.misses++
	return nil
}

// give takes a lent pipe back: into the pool if it is empty, closed otherwise.
func (p *pipePool) give(x *pipe) {
	if x.held == 0 {
		p.idle = append(p.idle, x)
		return
	}
	p.open--
	x.close()
}

// trim closes the pipes that nobody needed since the last trim.
func (p *pipePool) trim() {
	for range p.unused {
		last := len(p.idle) - 1
		p.idle[last].close()
		p.idle = p.idle[:last]
		p.open--
	}
	p.unused = len(p.idle)
}

// close closes every idle pipe.
func (p *pipePool) close() {
	p.unused = len(p.idle)
	p.trim()
	p.most = 0
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
