package loop

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// edgeTriggered is EPOLLET as a bit pattern; x/sys has it as a negative int.
const edgeTriggered = 1 << 31

// wakeTag is the tag of the engine's own eventfd. No slot has it: its fd part
// is beyond any fd number.
const wakeTag = 1<<64 - 1

// streamsTag is the tag of the streams' set, likewise.
const streamsTag = 1<<64 - 2

// epoll is the engine on epoll(7). The streams' set is an epoll of its own, and
// registered with the other once, EPOLLONESHOT: it ends a wait only after
// heedStreams.
type epoll struct {
	fd      int
	streams int
	wakeFD  int
	ready   bool // the streams' set has ended a wait
	buf     [eventsPerWait]unix.EpollEvent
	closed  bool
}

func newEpoll() (*epoll, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	wakeFD, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("eventfd", err)
	}
	streams, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		unix.Close(fd)
		unix.Close(wakeFD)
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	e := &epoll{fd: fd, streams: streams, wakeFD: wakeFD}
	if err := errors.Join(e.watchStreams(unix.EPOLL_CTL_ADD), e.arm(wakeFD, Readable, wakeTag)); err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

func tagged(tag uint64, events uint32) unix.EpollEvent {
	return unix.EpollEvent{Events: events, Fd: int32(tag), Pad: int32(tag >> 32)}
}

func (e *epoll) arm(fd int, interest Events, tag uint64) error {
	return e.add(e.fd, fd, interest, tag)
}

func (e *epoll) add(set, fd int, interest Events, tag uint64) error {
	ev := tagged(tag, uint32(interest)|edgeTriggered)
	return os.NewSyscallError("epoll_ctl", epollCtl(set, unix.EPOLL_CTL_ADD, fd, &ev))
}

func (e *epoll) disarm(fd int) error {
	err := e.remove(e.fd, fd)
	if errors.Is(err, unix.ENOENT) {
		err = e.remove(e.streams, fd)
	}
	return err
}

func (e *epoll) remove(set, fd int) error {
	var none unix.EpollEvent
	return os.NewSyscallError("epoll_ctl", epollCtl(set, unix.EPOLL_CTL_DEL, fd, &none))
}

// move adds before it removes, so that no edge is lost: an edge that both sets
// report does no harm.
func (e *epoll) move(fd int, interest Events, tag uint64, toStreams bool) error {
	from, to := e.fd, e.streams
	if !toStreams {
		from, to = to, from
	}
	if err := e.add(to, fd, interest, tag); err != nil {
		return err
	}
	return e.remove(from, fd)
}

func (e *epoll) heedStreams() error { return e.watchStreams(unix.EPOLL_CTL_MOD) }

func (e *epoll) watchStreams(op int) error {
	oneShot := tagged(streamsTag, unix.EPOLLIN|unix.EPOLLONESHOT)
	return os.NewSyscallError("epoll_ctl", epollCtl(e.fd, op, e.streams, &oneShot))
}

func (e *epoll) streamsReady() bool {
	ready := e.ready
	e.ready = false
	return ready
}

func (e *epoll) lookAtStreams(events []event) (int, error) {
	n, errno := epollWait(e.streams, e.buf[:min(len(events), len(e.buf))], 0)
	if errno != 0 {
		return 0, errno
	}
	e.report(events, n)
	return n, nil
}

func (e *epoll) waitExactly(events []event, timeout int64) (int, error) {
	n, errno := epollWaitExactly(e.fd, e.buf[:min(len(events), len(e.buf))], timeout)
	if errno != 0 {
		return 0, errno
	}
	e.report(events, n)
	return n, nil
}

// shortWait is how long a wait keeps its P, in ms: as long as sysmon lets a
// goroutine run before it asks it to yield (forcePreemptNS in runtime/proc.go).
const shortWait = 10

// wait waits at first for shortWait by a raw system call, which the Go
// scheduler does not see: no hand-over of the P, no sysmon that takes it away,
// no futex to win it back. Under load that is where all waits end. Only a
// longer one tells the scheduler. A stop of the world interrupts the raw wait by
// the signal that preempts (EINTR).
func (e *epoll) wait(events []event, timeout int64) (int, error) {
	buf := e.buf[:min(len(events), len(e.buf))]
	ms := milliseconds(timeout)
	n, errno := epollWait(e.fd, buf, min(uint(ms), shortWait))
	if n == 0 && errno == 0 && uint(ms) > shortWait {
		var err error
		if n, err = unix.EpollWait(e.fd, buf, ms); err != nil {
			return 0, err
		}
	} else if errno != 0 {
		return 0, errno
	}
	e.report(events, n)
	return n, nil
}

// report translates the first n of buf.
func (e *epoll) report(events []event, n int) {
	for i := range n {
		tag := uint64(uint32(e.buf[i].Fd)) | uint64(uint32(e.buf[i].Pad))<<32
		switch tag {
		case wakeTag:
			e.drainWake()
		case streamsTag:
			e.ready = true
		}
		events[i] = event{tag, Events(e.buf[i].Events)}
	}
}

func (e *epoll) wake() {
	var one = [8]byte{1}
	unix.Write(e.wakeFD, one[:])
}

func (e *epoll) drainWake() {
	var count [8]byte
	unix.Read(e.wakeFD, count[:])
}

func (e *epoll) close() error {
	if e.closed {
		return nil
	}
	e.closed = true
	return errors.Join(unix.Close(e.wakeFD), unix.Close(e.streams), unix.Close(e.fd))
}

// milliseconds rounds up, so that a timer never fires early.
func milliseconds(ns int64) int {
	if ns < 0 {
		return -1
	}
	const perMilli = int64(time.Millisecond)
	return int(min((ns+perMilli-1)/perMilli, 1<<30))
}
