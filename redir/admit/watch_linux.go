package admit

import (
	"fmt"
	"time"

	"github.com/vishvananda/netlink"
)

// Watch keeps what an Admission knows of own addresses and, where it has use for
// them, of links as the kernel has it.
type Watch struct {
	admission *Admission
	onError   func(error)
	refresh   chan chan struct{}
	done      chan struct{}
	ended     chan struct{}
}

// watchRetry is the pause after which what failed is tried again.
const watchRetry = time.Second

// subscription is one netlink socket that tells of changed routes. The library
// ends updates when the socket fails, but closes the socket only with end.
type subscription struct {
	updates chan netlink.RouteUpdate
	end     chan struct{} // nil: none
}

func (s *subscription) close() {
	if s.end != nil {
		close(s.end)
	}
	*s = subscription{}
}

// NewWatch reads both sets, and follows their changes until Close. onError is told
// of the first failure in a row, from the watch's goroutine.
func NewWatch(a *Admission, onError func(error)) (*Watch, error) {
	w := &Watch{admission: a, onError: onError, refresh: make(chan chan struct{}), done: make(chan struct{}), ended: make(chan struct{})}
	var s subscription
	if err := w.read(&s); err != nil {
		s.close()
		return nil, err
	}
	go w.follow(s)
	return w, nil
}

func (s *subscription) open() error {
	updates, end := make(chan netlink.RouteUpdate, 64), make(chan struct{})
	err := netlink.RouteSubscribeWithOptions(updates, end, netlink.RouteSubscribeOptions{
		ErrorCallback: func(error) {},
	})
	if err != nil {
		return fmt.Errorf("watch the routing tables: %w", err)
	}
	*s = subscription{updates, end}
	return nil
}

// read reads the sets. It subscribes first where that is not done, so that no
// change falls between.
func (w *Watch) read(s *subscription) error {
	if s.end == nil {
		if err := s.open(); err != nil {
			return err
		}
	}
	drain(s.updates)
	own, err := readOwnAddrs()
	if err != nil {
		return err
	}
	l := &links{}
	if w.admission.bearing.Load() {
		if l, err = readLinks(); err != nil {
			return err
		}
	}
	w.admission.own.Store(own)
	w.admission.links.Store(l)
	return nil
}

// concerns reports whether a route that came or went is one of those read.
func (w *Watch) concerns(r *netlink.Route) bool {
	return r.Table == localTable || w.admission.bearing.Load() && w.admission.links.Load().changes(r)
}

// Refresh reads the sets now, as after SetBearing.
func (w *Watch) Refresh() {
	read := make(chan struct{})
	select {
	case w.refresh <- read:
		<-read
	case <-w.ended:
	}
}

// follow reads the sets again after a change of theirs. The updates end
// when the socket overran, which loses messages: then it subscribes anew. What
// fails, for want of fds say, is told once and tried again.
func (w *Watch) follow(s subscription) {
	defer close(w.ended)
	defer func() { s.close() }()
	var retry <-chan time.Time // nil: the sets are as the kernel has them
	for {
		var asked chan struct{}
		select {
		case <-w.done:
			return
		case asked = <-w.refresh:
		case <-retry:
		case u, ok := <-s.updates:
			if !ok {
				s.close()
			} else if !w.concerns(&u.Route) {
				continue
			}
		}
		err := w.read(&s)
		if asked != nil {
			close(asked)
		}
		switch {
		case err == nil:
			retry = nil
		case retry == nil:
			w.onError(err)
			fallthrough
		default:
			retry = time.After(watchRetry)
		}
	}
}

// drain empties what is already queued: one read serves a burst of changes.
func drain(updates chan netlink.RouteUpdate) {
	for {
		select {
		case _, ok := <-updates:
			if !ok {
				return
			}
		default:
			return
		}
	}
}

// Close ends the watch.
func (w *Watch) Close() {
	close(w.done)
	<-w.ended
}
