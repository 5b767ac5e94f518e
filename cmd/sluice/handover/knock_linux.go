package handover

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// open takes callers until the listener is closed.
func (d *Door) open(l *net.UnixListener) {
	for {
		conn, err := l.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // fds have run out, say
			time.Sleep(doorPause)
			continue
		}
		d.serving.Go(func() { d.answer(conn) })
	}
}

// doorPause is the time until the next look after a call that could not be taken.
const doorPause = 100 * time.Millisecond

// answer hears who calls, and greets a successor.
func (d *Door) answer(conn *net.UnixConn) {
	w, err := newWire(conn)
	if err != nil {
		conn.Close()
		return
	}
	defer w.Close()
	if !d.admit(w) {
		return
	}
	defer d.dismiss(w)
	if !trusted(w.peer.UID, os.Geteuid()) {
		d.refuse(w, "it belongs to another user")
		return
	}
	m, _, err := w.want(hello, answerPatience)
	switch {
	case errors.Is(err, io.EOF): // one that only looked who is here
		return
	case err != nil:
		d.refuse(w, err.Error())
		return
	case m.Version != version:
		d.refuse(w, fmt.Sprintf("it speaks version %d of the hand-over, and that one (%q) version %d: stop it first", version, m.Release, m.Version))
		return
	}
	w.peer.Release, w.peer.Rules, w.peer.Manager = m.Release, m.Rules, m.Manager
	if !d.turn.TryLock() {
		d.mu.Lock()
		guest := d.guest
		d.mu.Unlock()
		d.refuse(w, fmt.Sprintf("another one (%v) is about to follow it: start again once that one is ready", guest))
		return
	}
	defer d.turn.Unlock()
	d.mu.Lock()
	d.guest = w.peer
	d.mu.Unlock()
	d.greet(&Successor{wire: w, door: d})
}

// admit notes a call, so that Close ends it.
func (d *Door) admit(w *wire) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false
	}
	d.calls[w] = struct{}{}
	return true
}

func (d *Door) dismiss(w *wire) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.calls, w)
}

func (d *Door) refuse(w *wire, why string) {
	_ = w.send(message{Type: refusal, Why: why}, answerPatience)
}

// trusted tells whether a process of the user may have what sluice has.
func trusted(uid int, mine ...int) bool {
	for _, own := range mine {
		if uid == own {
			return true
		}
	}
	return uid == 0
}
