package redir

import (
	"fmt"
	"net/netip"

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

// addrWatch keeps an admission's set of own addresses as the kernel has it.
type addrWatch struct {
	admission *admission
	onError   func(error)
	done      chan struct{}
	ended     chan struct{}
}

// watchAddrs reads the set, and follows its changes until close.
func watchAddrs(a *admission, onError func(error)) (*addrWatch, error) {
	w := &addrWatch{admission: a, onError: onError, done: make(chan struct{}), ended: make(chan struct{})}
	updates, err := w.subscribe()
	if err != nil {
		return nil, err
	}
	if err := w.read(); err != nil {
		close(w.done)
		return nil, err
	}
	go w.follow(updates)
	return w, nil
}

// subscribe must come before the first read, so that no change falls between.
func (w *addrWatch) subscribe() (chan netlink.RouteUpdate, error) {
	updates := make(chan netlink.RouteUpdate, 64)
	err := netlink.RouteSubscribeWithOptions(updates, w.done, netlink.RouteSubscribeOptions{
		ErrorCallback: func(error) {},
	})
	if err != nil {
		return nil, fmt.Errorf("watch the local routing table: %w", err)
	}
	return updates, nil
}

func (w *addrWatch) read() error {
	own, err := readOwnAddrs()
	if err != nil {
		return err
	}
	w.admission.own.Store(own)
	return nil
}

// follow reads the set again after a change of the local table. The library
// ends the channel when the socket overran, which loses messages: then it
// subscribes anew.
func (w *addrWatch) follow(updates chan netlink.RouteUpdate) {
	defer close(w.ended)
	for {
		select {
		case <-w.done:
			return
		case u, ok := <-updates:
			if !ok {
				select {
				case <-w.done:
					return
				default:
				}
				var err error
				if updates, err = w.subscribe(); err != nil {
					w.onError(err)
					return
				}
			} else if u.Table != localTable {
				continue
			}
			drain(updates)
			if err := w.read(); err != nil {
				w.onError(err)
			}
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

func (w *addrWatch) close() {
	close(w.done)
	<-w.ended
}
