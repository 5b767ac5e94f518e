package splice

import "syscall"

// Events are the poll bits that epoll reports for a socket, with epoll's own values (epoll_ctl(2)).
type Events uint32

const (
	In          Events = 0x1    // EPOLLIN: bytes to read, or the end of the stream
	Urgent      Events = 0x2    // EPOLLPRI: TCP urgent data waits
	Out         Events = 0x4    // EPOLLOUT: room in the send buffer
	Err         Events = 0x8    // EPOLLERR: the socket holds an error
	HangUp      Events = 0x10   // EPOLLHUP: both halves are shut
	InHangUp    Events = 0x2000 // EPOLLRDHUP: the peer has shut its writing half
	readEvents         = In | Urgent | Err | HangUp | InHangUp
	writeEvents        = Out | Err | HangUp
)

// Calls gathers system calls that do not wait, and makes them by one, in the order in which they were gathered; loop.Calls
// does. What Result tells of a call holds from one Make to the next.
type Calls interface {
	Recv(fd int, buf []byte, flags int) (call int)
	Send(fd int, data []byte, flags int) (call int)
	Make()
	Result(call int) (n int, errno syscall.Errno)
	MostCalls() int
}

// Mode chooses how the bytes of every direction of a Workspace are moved.
type Mode uint8

const (
	Auto   Mode = iota // copy first, splice once a direction proves to be bulk
	Copy               // always through the copy buffer
	Splice             // through pipes from the first byte; copy where no pipe can be had
)

// Config sizes a Workspace. Zero means the default.
type Config struct {
	Mode       Mode
	BufferSize int // bytes of the copy buffer and of the largest residue; 64 KiB
	PipeSize   int // bytes of one pipe; 256 KiB, at most /proc/sys/fs/pipe-max-size; a paced destination gets 16 pages
	MaxPipes   int // pipes at once, idle ones included; 256
	Budget     int // bytes after which one direction yields to other work; 1 MiB
	// Calls makes calls of many relays together (MoveTogether); nil: each is made alone.
	Calls Calls
}

const (
	defaultBufferSize = 64 << 10
	defaultPipeSize   = 256 << 10
	defaultMaxPipes   = 256
	defaultBudget     = 1 << 20

	minBufferSize = 4 << 10                              // bytes: the smallest class of residue buffers
	bufferClasses = 12                                   // each twice the one before
	maxBufferSize = minBufferSize << (bufferClasses - 1) // bytes: 8 MiB
	minPipeSize   = 64 << 10                             // bytes: a smaller pipe moves less per call than copying does
)

// withDefaults fills what is zero and corrects what cannot work.
func (c Config) withDefaults() Config {
	orDefault := func(v, fallback, least int) int {
		if v <= 0 {
			v = fallback
		}
		return max(v, least)
	}
	c.BufferSize = min(orDefault(c.BufferSize, defaultBufferSize, minBufferSize), maxBufferSize)
	c.PipeSize = orDefault(c.PipeSize, defaultPipeSize, minPipeSize)
	c.MaxPipes = orDefault(c.MaxPipes, defaultMaxPipes, 1)
	c.Budget = orDefault(c.Budget, defaultBudget, 1)
	return c
}

// Side names one of the two sockets of a Relay.
type Side uint8

const (
	A Side = iota // the client's
	B             // the upstream's
)

func (s Side) other() Side { return s ^ 1 }

// Status is what Pump leaves its caller to do.
type Status uint8

const (
	Blocked  Status = iota // wait for the next edge of either socket, or for an allowance
	Again                  // the budget is used up: call Pump again without waiting for an edge
	Finished               // both directions ended and are delivered: close both sockets
	Broken                 // a side failed and all that it sent is delivered: reset the other, close both
)

func (s Status) String() string {
	switch s {
	case Blocked:
		return "blocked"
	case Again:
		return "again"
	case Finished:
		return "finished"
	}
	return "broken"
}

// Stats counts what one Workspace has done and holds.
type Stats struct {
	Copied       uint64 // bytes delivered through buffers
	Spliced      uint64 // bytes delivered through pipes
	PipesIdle    int    // empty pipes in the pool
	PipesHeld    int    // pipes that hold bytes of a blocked direction
	PipeSize     int    // bytes that the kernel has granted to the last wide pipe; 0: there was none
	PipesEver    uint64 // pipes opened
	PipesDenied  uint64 // attempts to open a pipe that the kernel refused or granted too small
	PipeMisses   uint64 // times that a bulk direction copied for want of a pipe
	Residues     int    // buffers that hold bytes of a blocked direction
	ResidueBytes int    // capacity of those buffers
}
