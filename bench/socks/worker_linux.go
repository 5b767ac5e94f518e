package socks

import (
	"errors"
	"net/netip"
	"os"
	"runtime"
	"slices"

	"golang.org/x/sys/unix"

	"sluice/bench/dgram"
)

const (
	// events is how many one wait returns at most.
	events = 256
	// copyBuffer is what bytes are copied through, in bytes.
	copyBuffer = 64 << 10
	// acceptShare is how many connections are accepted before others have their turn.
	acceptShare = 64
	// udpBatch is how many messages one call receives or sends.
	udpBatch = 64
	// udpRoom is the room for each message: the greatest run, in bytes.
	udpRoom = 1 << 16
)

// handler is what an event of an fd is for.
type handler interface {
	handle(w *worker, events uint32)
}

// worker is one thread with all that it owns.
type worker struct {
	epoll, bell int // bell: an eventfd that ends the worker
	ended       bool
	listeners   []*listener
	answers     []netip.AddrPort
	page        []byte
	handlers    []handler // by fd
	again       []*end    // ends whose turn was over before they were
	dropped     []int     // fds to close once no event of theirs can be left
	buf         []byte
	rx          *dgram.Receiver
	tx          *dgram.Sender
	arena       []byte // of datagrams, until they are sent
}

// listener accepts for SOCKS5, or for a relay where dest is valid.
type listener struct {
	fd   int
	dest netip.AddrPort
}

func newWorker(o Options) (w *worker, err error) {
	w = &worker{epoll: -1, bell: -1, answers: o.Answers, page: page(), buf: make([]byte, copyBuffer),
		rx: dgram.NewReceiver(udpBatch, udpRoom), tx: dgram.NewSender(udpBatch), arena: make([]byte, 0, 4*udpRoom)}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if w.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return w, os.NewSyscallError("epoll_create1", err)
	}
	if w.bell, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return w, os.NewSyscallError("eventfd", err)
	}
	if err = w.watch(w.bell, unix.EPOLLIN, ender{}); err != nil {
		return w, err
	}
	relays := o.Relays
	for _, at := range o.Listen {
		relays = append(slices.Clip(relays), Relay{Listen: at})
	}
	for _, r := range relays {
		l := &listener{dest: r.Dest}
		if l.fd, err = listenTCP(r.Listen); err != nil {
			return w, err
		}
		w.listeners = append(w.listeners, l)
		if err = w.watch(l.fd, unix.EPOLLIN, l); err != nil {
			return w, err
		}
	}
	return w, nil
}

// ender ends the worker.
type ender struct{}

func (ender) handle(w *worker, _ uint32) { w.ended = true }

// watch has a handler called at the events of an fd.
func (w *worker) watch(fd int, events uint32, h handler) error {
	for len(w.handlers) <= fd {
		w.handlers = append(w.handlers, nil)
	}
	w.handlers[fd] = h
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(w.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)}))
}

// drop closes an fd, of which no event is handled any more: only after those that
// one wait returned, lest another takes its number among them.
func (w *worker) drop(fd int) {
	w.handlers[fd] = nil
	w.dropped = append(w.dropped, fd)
}

func (w *worker) closeDropped() {
	for _, fd := range w.dropped {
		_ = unix.Close(fd) // takes it out of the epoll instance too
	}
	w.dropped = w.dropped[:0]
}

// run serves until wake.
func (w *worker) run() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	list := make([]unix.EpollEvent, events)
	for !w.ended {
		wait := -1
		if len(w.again) > 0 {
			wait = 0
		}
		n, err := unix.EpollWait(w.epoll, list, wait)
		if err != nil && err != unix.EINTR {
			return os.NewSyscallError("epoll_wait", err)
		}
		for _, e := range list[:max(n, 0)] {
			if h := w.handlers[e.Fd]; h != nil {
				h.handle(w, e.Events)
			}
		}
		again := w.again
		w.again = nil
		for _, e := range again {
			if !e.pair.closed {
				e.pair.pump(w, e, true)
			}
		}
		w.closeDropped()
	}
	return nil
}

func (w *worker) wake() error {
	_, err := unix.Write(w.bell, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	return os.NewSyscallError("write", err)
}

// close closes all that a worker which does not run has.
func (w *worker) close() error {
	for _, h := range w.handlers {
		switch h := h.(type) {
		case *end:
			h.pair.close(w)
		case *associated:
			h.close(w)
		case *near:
			h.associated.close(w)
		case *far:
			h.associated.close(w)
		}
	}
	w.closeDropped()
	for _, l := range w.listeners {
		_ = unix.Close(l.fd)
	}
	for _, fd := range []int{w.bell, w.epoll} {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
	return nil
}

// handle accepts.
func (l *listener) handle(w *worker, _ uint32) {
	for range acceptShare {
		fd, _, err := unix.Accept4(l.fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != nil {
			return // none is left, or it is gone again
		}
		p := &pair{}
		p.client = end{fd: fd, pair: p}
		p.dest = end{fd: -1, pair: p}
		if err := w.watch(fd, unix.EPOLLIN|unix.EPOLLOUT|unix.EPOLLRDHUP|unix.EPOLLET, &p.client); err != nil {
			w.drop(fd)
			continue
		}
		if l.dest.IsValid() {
			p.relay = true
			p.connect(w, l.dest)
		} else {
			p.greet(w)
		}
	}
}
