package rules

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
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
const retry = time.Second

// Watch blocks until the context ends and puts back what others take away:
// the table or parts of it, the policy rule, the local route. It reports each
// time what was missing, with an error when it could not be put back. Any
// number of changes by others that leave ours alone cost one comparison.
func (i *Installed) Watch(ctx context.Context, report func(missing string, err error)) error {
	changes := make(chan error, 1)
	sockets, err := listen()
	if err != nil {
		return fmt.Errorf("watch rules: %w", err)
	}
	done := make(chan struct{}, len(sockets))
	for _, s := range sockets {
		go func() {
			notice(s, changes)
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
	timer := time.NewTimer(settle) // what changed before anybody listened
	defer timer.Stop()
	var first time.Time // change that was not looked at yet; zero: none
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-changes:
			if err != nil {
				return fmt.Errorf("watch rules: %w", err)
			}
			if first.IsZero() {
				first = time.Now()
			}
			timer.Reset(min(settle, time.Until(first.Add(longest))))
		case <-timer.C:
			first = time.Time{}
			if missing, err := i.putBackMissing(); missing != "" || err != nil {
				report(missing, err)
				if err != nil {
					timer.Reset(retry)
				}
			}
		}
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
func notice(socket *netlink.Conn, changes chan<- error) {
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
		case !concerns(messages):
			continue
		}
		select {
		case changes <- nil:
		default: // one is waiting already
		}
	}
}

// concerns leaves out news of other tables, of which a busy firewall makes
// many. In every nftables message the first attribute type is the table's
// name (NFTA_TABLE_NAME, NFTA_CHAIN_TABLE, ... are all 1). Of routes and
// rules, removals concern us.
func concerns(messages []netlink.Message) bool {
	name := []byte(TableName + "\x00")
	for _, m := range messages {
		if m.Header.Type>>8 != unix.NFNL_SUBSYS_NFTABLES {
			if m.Header.Type == unix.RTM_DELROUTE || m.Header.Type == unix.RTM_DELRULE {
				return true
			}
			continue
		}
		if bytes.Contains(m.Data, name) {
			return true
		}
	}
	return false
}

// putBackMissing compares and repairs.
func (i *Installed) putBackMissing() (missing string, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		return "", nil
	}
	now, err := readTable(i.conn)
	if err != nil {
		return "", err
	}
	var lost []string
	switch {
	case !now.exists:
		lost = append(lost, "table inet "+TableName)
	case now.print != i.print:
		lost = append(lost, "parts of table inet "+TableName)
	}
	if i.plan.policy != nil {
		absent, err := i.plan.policy.absent()
		if err != nil {
			return "", err
		}
		lost = append(lost, absent...)
	}
	if len(lost) == 0 {
		return "", nil
	}
	now.facts.Sysctls = i.changed
	if err := i.put(i.plan, now); err != nil {
		return strings.Join(lost, ", "), err
	}
	return strings.Join(lost, ", "), nil
}
