package neighbour

import (
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Table is the neighbours that have a MAC address, from New to Close. A nil one has
// none.
type Table struct {
	known   atomic.Pointer[map[netip.Addr][6]byte]
	onError func(error)
	done    chan struct{}
	ended   chan struct{}
}

// retryPause is the pause after which what failed is tried again.
const retryPause = time.Second

// New reads the table, and follows its changes until Close. onError is told of the
// first failure in a row, from the table's goroutine.
func New(onError func(error)) (*Table, error) {
	t := &Table{onError: onError, done: make(chan struct{}), ended: make(chan struct{})}
	f := follower{table: t}
	if err := f.read(); err != nil {
		f.unsubscribe()
		return nil, err
	}
	go f.run()
	return t, nil
}

// MAC is that of the host with an address. It is not known where no entry has it, or
// two links have different ones for it. It takes no lock, and no memory.
func (t *Table) MAC(addr netip.Addr) (mac [6]byte, ok bool) {
	if t == nil {
		return mac, false
	}
	mac, ok = (*t.known.Load())[addr]
	return mac, ok
}

// Close ends the table, which knows from then on what it knew.
func (t *Table) Close() {
	if t != nil {
		close(t.done)
		<-t.ended
	}
}

// follower reads what the kernel says of neighbours. One goroutine owns it.
type follower struct {
	table   *Table
	entries entries
	updates chan netlink.NeighUpdate
	end     chan struct{} // closes the socket; nil: there is none
}

// subscribe opens a socket that tells of changes. The library ends updates when the
// socket fails, as with ENOBUFS after messages were lost.
func (f *follower) subscribe() error {
	updates, end := make(chan netlink.NeighUpdate, 64), make(chan struct{})
	err := netlink.NeighSubscribeWithOptions(updates, end, netlink.NeighSubscribeOptions{ErrorCallback: func(error) {}})
	if err != nil {
		return fmt.Errorf("watch the neighbour table: %w", err)
	}
	f.updates, f.end = updates, end
	return nil
}

// unsubscribe closes the socket. The library's goroutine may wait for who takes its
// last updates.
func (f *follower) unsubscribe() {
	if f.end == nil {
		return
	}
	close(f.end)
	go func(updates <-chan netlink.NeighUpdate) {
		for range updates {
		}
	}(f.updates)
	f.updates, f.end = nil, nil
}

// read reads the whole table. It subscribes first where that is not done, so that no
// change falls between.
func (f *follower) read() error {
	if f.end == nil {
		if err := f.subscribe(); err != nil {
			return err
		}
	}
	all := entries{}
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		list, err := netlink.NeighList(0, family)
		if err != nil {
			return fmt.Errorf("read the neighbour table: %w", err)
		}
		for i := range list {
			all.take(&list[i], unix.RTM_NEWNEIGH)
		}
	}
	f.entries = all
	f.publish()
	return nil
}

func (f *follower) publish() {
	known := f.entries.known()
	f.table.known.Store(&known)
}

// run follows changes. What fails, for want of fds say, is told once and tried again.
func (f *follower) run() {
	defer close(f.table.ended)
	defer f.unsubscribe()
	var retry <-chan time.Time // nil: nothing failed
	for {
		select {
		case <-f.table.done:
			return
		case <-retry:
		case u, ok := <-f.updates:
			if ok {
				f.take(u)
				continue
			}
			f.unsubscribe()
		}
		err := f.read()
		switch {
		case err == nil:
			retry = nil
		case retry == nil:
			f.table.onError(err)
			fallthrough
		default:
			retry = time.After(retryPause)
		}
	}
}

// take takes in a change, and those that are queued behind it.
func (f *follower) take(u netlink.NeighUpdate) {
	changed := f.entries.take(&u.Neigh, u.Type)
	for range len(f.updates) {
		if next, ok := <-f.updates; ok {
			changed = f.entries.take(&next.Neigh, next.Type) || changed
		}
	}
	if changed {
		f.publish()
	}
}
