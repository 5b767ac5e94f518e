package handover

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Incumbent is the sluice that this process is about to follow. A nil one is
// none, and its methods do nothing. One goroutine uses it.
type Incumbent struct {
	wire    *wire
	process int  // pidfd, -1: none
	gone    bool // it has ended meanwhile: what it gave is this process' alone
	doors   []int
}

// Peer is who it is.
func (i *Incumbent) Peer() Peer { return i.wire.peer }

// Take asks for the sockets, and says who asks: whether it will want the rules,
// and which NOTIFY_SOCKET it has. The listeners are the caller's from then on.
func (i *Incumbent) Take(me Peer) (listeners []int, err error) {
	if i == nil {
		return nil, nil
	}
	var fds []int
	defer func() {
		if err != nil || i.gone {
			closeAll(fds)
		}
	}()
	err = i.wire.send(message{Type: hello, Version: version, Release: me.Release, Rules: me.Rules, Manager: me.Manager}, answerPatience)
	if err != nil && !errors.Is(err, unix.EPIPE) { // what it said before is still to be read
		return nil, err
	}
	m, _, err := i.wire.want(hello, answerPatience)
	if err != nil {
		return nil, i.ended(err)
	}
	i.wire.peer.Release = m.Release
	if m.Version != version {
		return nil, &RefusedError{i.wire.peer, fmt.Sprintf("it speaks version %d of the hand-over, and this one version %d: stop it first", m.Version, version)}
	}
	for {
		m, some, err := i.wire.receive(workPatience)
		fds = append(fds, some...)
		switch {
		case err != nil:
			return nil, i.ended(err)
		case m.Type == refusal:
			return nil, &RefusedError{i.wire.peer, m.Why}
		case m.Type == sockets:
			err := i.wire.send(message{Type: taken, Count: len(some)}, answerPatience)
			if err != nil && !errors.Is(err, unix.EPIPE) {
				return nil, err
			}
			continue
		case m.Type != end || m.Count != len(fds):
			return nil, fmt.Errorf("message %s for %d sockets, of which %d came", m.Type, m.Count, len(fds))
		}
		listeners, i.doors = sortDoors(fds)
		return listeners, nil
	}
}

// ended tells an incumbent that has ended, which is no error, from one that does
// not answer, or will not.
func (i *Incumbent) ended(err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &SilentError{i.wire.peer, err}
	case !errors.Is(err, io.EOF):
		return err
	case !i.hasExited():
		return &RefusedError{i.wire.peer, "it broke off"}
	}
	i.gone = true
	return nil
}

// exitPatience is how long a process may take from closing its fds to its end.
const exitPatience = 2 * time.Second

// hasExited waits for the end of the incumbent, whose side of the connection is
// closed. A process of another pid namespace cannot be seen, and is taken for
// one that has ended.
func (i *Incumbent) hasExited() bool {
	if i.process < 0 {
		return true
	}
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(i.process), Events: unix.POLLIN}}, int(exitPatience/time.Millisecond))
	return n > 0 || err != nil && !errors.Is(err, unix.EINTR)
}

// sortDoors tells doors from listeners, of which one may be a unix socket too.
func sortDoors(fds []int) (listeners, doors []int) {
	for _, fd := range fds {
		domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
		kind, kindErr := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
		if err == nil && kindErr == nil && domain == unix.AF_UNIX && kind == unix.SOCK_SEQPACKET {
			doors = append(doors, fd)
		} else {
			listeners = append(listeners, fd)
		}
	}
	return listeners, doors
}

// Serving says that all is open, and returns when nobody owns the rules.
func (i *Incumbent) Serving() error { return i.step(serving, left) }

// Ready says that this process serves, and returns when the incumbent accepts
// nothing more. A *SilentError says that it does not answer; whatever it does
// later, this process must go on then, since the incumbent will yield.
func (i *Incumbent) Ready() error { return i.step(ready, yielded) }

func (i *Incumbent) step(say, hear kind) error {
	if i.IsGone() {
		return nil
	}
	err := i.wire.send(message{Type: say}, answerPatience)
	if err == nil || errors.Is(err, unix.EPIPE) {
		_, _, err = i.wire.want(hear, workPatience)
	}
	if err != nil {
		return i.ended(err)
	}
	return nil
}

// Doors returns the sockets of its door, which are the caller's from then on.
func (i *Incumbent) Doors() (fds []int) {
	if i != nil {
		fds, i.doors = i.doors, nil
	}
	return fds
}

// IsGone tells whether it ended before it had handed over.
func (i *Incumbent) IsGone() bool { return i == nil || i.gone }

// Close ends the conversation. Before Ready has returned, the incumbent goes on.
func (i *Incumbent) Close() {
	if i == nil {
		return
	}
	closeAll(i.doors)
	i.doors = nil
	i.wire.Close()
	if i.process >= 0 {
		unix.Close(i.process)
		i.process = -1
	}
}
