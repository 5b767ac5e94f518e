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

// epoll is the engine on epoll(7).
type epoll struct {
	fd     int
	wakeFD int
	buf    [eventsPerWait]unix.EpollEvent
	closed bool
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
	e := &epoll{fd: fd, wakeFD: wakeFD}
	if err := e.arm(wakeFD, Readable, wakeTag); err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

func (e *epoll) arm(fd int, interest Events, tag uint64) error {
	ev := unix.EpollEvent{Events: uint32(interest) | edgeTriggered, Fd: int32(tag), Pad: int32(tag >> 32)}
	return os.NewSyscallError("epoll_ctl", epollCtl(e.fd, unix.EPOLL_CTL_ADD, fd, &ev))
}

func (e *epoll) disarm(fd int) error {
	var none unix.EpollEvent
	return os.NewSyscallError("epoll_ctl", epollCtl(e.fd, unix.EPOLL_CTL_DEL, fd, &none))
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
	for i := range n {
		tag := uint64(uint32(e.buf[i].Fd)) | uint64(uint32(e.buf[i].Pad))<<32
		if tag == wakeTag {
			e.drainWake()
		}
		events[i] = event{tag, Events(e.buf[i].Events)}
	}
	return n, nil
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
	return errors.Join(unix.Close(e.wakeFD), unix.Close(e.fd))
}

// milliseconds rounds up, so that a timer never fires early.
func milliseconds(ns int64) int {
	if ns < 0 {
		return -1
	}
	const perMilli = int64(time.Millisecond)
	return int(min((ns+perMilli-1)/perMilli, 1<<30))
}
