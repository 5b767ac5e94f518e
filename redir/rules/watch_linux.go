package rules

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// settle is how long after the last change the rules are looked at, so that a
// firewall that flushes and loads in steps has finished.
const settle = 50 * time.Millisecond

// longest bounds that wait where changes never cease, as the routes of a busy
// BGP speaker.
const longest = 10 * settle

// retry is how long after a failure, as while lo is down, it is tried again.
// It doubles up to routine.
const retry = time.Second

// routine is how often the routing is looked at without news, since some
// changes make none: routes that go with lo (fib_disable_ip), a sysctl.
const routine = 10 * time.Second

// Watch blocks until the context ends and puts back what others take away,
// replace or overtake: the table or parts of it, the policy rule and its place,
// the local route. It reports each time what was amiss, with an error when
// it could not be put right, and that once until it changes. Any number of
// changes by others that leave ours alone cost one comparison.
func (i *Installed) Watch(ctx context.Context, report func(Repair, error)) error {
	changes := make(chan error, 1)
	sockets, err := listen()
	if err != nil {
		return fmt.Errorf("watch rules: %w", err)
	}
	done := make(chan struct{}, len(sockets))
	for _, s := range sockets {
		go func() {
			i.notice(s, changes)
			done <- struct{}{}
		}()
	}
	defer func() {
		for _, s := range sockets {
			_ = s.Close()
		}
		for range sockets {
			<-done
		}
	}()
	w := watch{installed: i, report: report, timer: time.NewTimer(settle)} // what changed before anybody listened
	defer w.timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-changes:
			if err != nil {
				err = fmt.Errorf("watch rules: %w", err)
				i.remember(err)
				return err
			}
			w.changed(time.Now())
		case <-w.timer.C:
			w.look()
		}
	}
}

// watch is the state of Watch, and belongs to its goroutine.
type watch struct {
	installed *Installed
	report    func(Repair, error)
	timer     *time.Timer // of the next look
	first     time.Time   // change that was not looked at yet; zero: none
	earliest  time.Time   // look, while somebody insists
	quarrel   quarrel
	said      string        // error that was reported and still holds
	retry     time.Duration // after the next failure
}

// changed puts the next look a little after the change.
func (w *watch) changed(now time.Time) {
	if w.first.IsZero() {
		w.first = now
	}
	w.retry = retry
	w.timer.Reset(max(min(settle, w.first.Add(longest).Sub(now)), w.earliest.Sub(now)))
}

// look compares, repairs and reports.
func (w *watch) look() {
	changed := !w.first.IsZero() || w.retry != retry // a routine look reads no table
	w.first = time.Time{}
	done, fault, err := w.installed.mend(changed)
	unmended := errors.Join(fault, err)
	if len(done.Missing) > 0 && err == nil {
		wait, insisting := w.quarrel.repaired(time.Now())
		w.earliest = time.Now().Add(wait)
		if wait > 0 {
			unmended = &InsistingError{done}
		}
		switch {
		case insisting:
			w.report(done, unmended)
		case wait == 0:
			w.report(done, nil)
		}
	}
	w.installed.remember(unmended)
	next := routine
	switch {
	case err != nil:
		w.say(done, err)
		next = max(w.retry, retry)
		w.retry = min(2*next, routine)
	case fault != nil:
		w.say(Repair{}, fault)
	default:
		w.said, w.retry = "", retry
	}
	w.timer.Reset(next)
}

// remember keeps for Look what could not be put right.
func (i *Installed) remember(err error) {
	if err == nil {
		i.unmended.Store(nil)
		return
	}
	i.unmended.Store(&err)
}

// say reports an error, unless it was the last one to be reported.
func (w *watch) say(r Repair, err error) {
	if err.Error() != w.said {
		w.said = err.Error()
		w.report(r, err)
	}
}

// listen opens a socket for nftables and one for routing.
func listen() ([]*netlink.Conn, error) {
	var sockets []*netlink.Conn
	for _, kind := range []struct {
		protocol int
		groups   []uint32
	}{
		{unix.NETLINK_NETFILTER, []uint32{unix.NFNLGRP_NFTABLES}},
		{unix.NETLINK_ROUTE, []uint32{
			unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE, unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_IPV6_RULE,
			unix.RTNLGRP_LINK, unix.RTNLGRP_IPV6_IFADDR,
		}},
	} {
		socket, err := netlink.Dial(kind.protocol, nil)
		for _, group := range kind.groups {
			if err == nil {
				err = socket.JoinGroup(group)
			}
		}
		if socket != nil {
			sockets = append(sockets, socket)
		}
		if err != nil {
			for _, s := range sockets {
				_ = s.Close()
			}
			return nil, err
		}
	}
	return sockets, nil
}

// notice sends a nil for changes that may concern us. It ends when the socket
// is closed; another error is sent. A receive buffer that ran over (ENOBUFS)
// is a change: nobody knows which.
func (i *Installed) notice(socket *netlink.Conn, changes chan<- error) {
	for {
		messages, err := socket.Receive()
		switch {
		case errors.Is(err, os.ErrClosed):
			return
		case errors.Is(err, unix.ENOBUFS):
		case err != nil:
			select {
			case changes <- err:
			default:
			}
			return
		case !concerns(messages, uint32(i.routingTable.Load())):
			continue
		}
		select {
		case changes <- nil:
		default: // one is waiting already
		}
	}
}

// concerns leaves out news of what is not ours, of which a busy firewall or a
// BGP speaker makes many. In every nftables message the first attribute type
// is the table's name (NFTA_TABLE_NAME, NFTA_CHAIN_TABLE, ... are all 1). Any
// policy rule may overtake ours. Of routes, those in our table concern us; of
// interfaces and addresses lo's, with which a family comes and goes.
func concerns(messages []netlink.Message, table uint32) bool {
	name := []byte(TableName + "\x00")
	for _, m := range messages {
		if m.Header.Type>>8 == unix.NFNL_SUBSYS_NFTABLES {
			if bytes.Contains(m.Data, name) {
				return true
			}
			continue
		}
		switch m.Header.Type {
		case unix.RTM_NEWRULE, unix.RTM_DELRULE:
			return true
		case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
			if route, err := parseRoute(m.Data); err != nil || route.table == table {
				return true
			}
		case unix.RTM_NEWLINK, unix.RTM_NEWADDR, unix.RTM_DELADDR: // ifinfomsg and ifaddrmsg have the index at 4
			if len(m.Data) >= 8 && binary.NativeEndian.Uint32(m.Data[4:]) == loopback {
				return true
			}
		}
	}
	return false
}
