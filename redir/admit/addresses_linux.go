package admit

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// localTable is the routing table in which the kernel keeps what it delivers
// locally (ip-route(8), table 255). It also has local routes that the operator
// made (AnyIP), which a list of interface addresses would not show.
const localTable = unix.RT_TABLE_LOCAL

// readOwnAddrs asks the kernel which addresses it delivers locally.
func readOwnAddrs() (*ownAddrs, error) {
	own := &ownAddrs{local: map[netip.Addr]struct{}{}, broadcast: map[netip.Addr]struct{}{}}
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		routes, err := netlink.RouteListFiltered(family, &netlink.Route{Table: localTable}, netlink.RT_FILTER_TABLE)
		if err != nil {
			return nil, fmt.Errorf("list the local routing table: %w", err)
		}
		for i := range routes {
			own.add(&routes[i])
		}
	}
	return own, nil
}

func (o *ownAddrs) add(route *netlink.Route) {
	if route.Dst == nil {
		return
	}
	addr, ok := netip.AddrFromSlice(route.Dst.IP)
	if !ok {
		return
	}
	addr = addr.Unmap()
	ones, bits := route.Dst.Mask.Size()
	switch route.Type {
	case unix.RTN_BROADCAST:
		o.broadcast[addr] = struct{}{}
	case unix.RTN_LOCAL, unix.RTN_ANYCAST:
		if ones == bits {
			o.local[addr] = struct{}{}
		} else {
			o.prefixes = append(o.prefixes, netip.PrefixFrom(addr, ones))
		}
	}
}

// Watch keeps an Admission's set of own addresses as the kernel has it.
type Watch struct {
	admission *Admission
	onError   func(error)
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

// NewWatch reads the set, and follows its changes until Close. onError is told
// of the first failure in a row, from the watch's goroutine.
func NewWatch(a *Admission, onError func(error)) (*Watch, error) {
	w := &Watch{admission: a, onError: onError, done: make(chan struct{}), ended: make(chan struct{})}
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
		return fmt.Errorf("watch the local routing table: %w", err)
	}
	*s = subscription{updates, end}
	return nil
}

// read reads the set. It subscribes first where that is not done, so that no
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
	w.admission.own.Store(own)
	return nil
}

// follow reads the set again after a change of the local table. The updates end
// when the socket overran, which loses messages: then it subscribes anew. What
// fails, for want of fds say, is told once and tried again.
func (w *Watch) follow(s subscription) {
	defer close(w.ended)
	defer func() { s.close() }()
	var retry <-chan time.Time // nil: the set is as the kernel has it
	for {
		select {
		case <-w.done:
			return
		case <-retry:
		case u, ok := <-s.updates:
			if !ok {
				s.close()
			} else if u.Table != localTable {
				continue
			}
		}
		err := w.read(&s)
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
