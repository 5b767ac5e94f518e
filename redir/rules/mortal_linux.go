package rules

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/google/nftables"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// tableFlagOwner makes a table belong to the netlink socket that created it:
// the kernel deletes it when that socket closes, however its process ends
// (NFT_TABLE_F_OWNER, Linux 5.12, nft_rcv_nl_event).
const tableFlagOwner = 0x2

// writeMortal writes the table, over one of ours that exists, and bound to
// this process if the plan says so. What owns a table alone can change it, so
// a mortal one cannot be replaced in one transaction; the step table stands in
// (see replaceTable), and keeps NAT at work, which the kernel otherwise ends
// for running connections too, with the last nat chain.
func (i *Installed) writeMortal(plan *Plan, t table, counts map[string]Counter, exists bool) error {
	was := i.plan != nil && i.plan.mortal()
	if !was && !plan.mortal() {
		if exists {
			return replaceTable(i.conn, t, counts)
		}
		return errors.Join(writeTable(i.conn, TableName, t, counts, false), deleteTable(i.conn, stepTable))
	}
	next, own := newConn(), func(string) error { return nil }
	if plan.mortal() {
		var err error
		if next, own, err = ownerConn(); err != nil {
			return err
		}
	}
	err := deleteTable(next, stepTable) // of one killed in the middle
	if err == nil && exists {
		if err = own(stepTable); err == nil {
			step := table{counters: t.counters, sets: t.sets, chains: t.chains[1:]}
			err = writeTable(next, stepTable, step, nil, plan.mortal())
		}
		if err == nil {
			err = deleteTable(i.conn, TableName)
		}
	}
	if err != nil {
		return errors.Join(err, deleteTable(next, stepTable), next.CloseLasting())
	}
	err = i.conn.CloseLasting()
	i.conn = next
	if err == nil {
		if err = own(TableName); err == nil {
			err = writeTable(next, TableName, t, counts, plan.mortal())
		}
	}
	return errors.Join(err, deleteTable(next, stepTable))
}

// ownerConn is a connection that keeps its socket, and what creates an empty
// table that the socket owns.
func ownerConn() (*nftables.Conn, func(name string) error, error) {
	var socket *netlink.Conn
	conn, err := nftables.New(nftables.AsLasting(), nftables.WithSockOptions(func(c *netlink.Conn) error {
		socket = c
		return largeBatches(c)
	}))
	if err != nil {
		return nil, nil, err
	}
	return conn, func(name string) error {
		if err := createOwned(socket, name); err != nil {
			return fmt.Errorf("table inet %s that ends with the process: %w", name, explain(err))
		}
		return nil
	}, nil
}

// createOwned creates the empty table, owned by the socket. The library
// cannot set a table's flags, so the batch is written out here.
func createOwned(socket *netlink.Conn, name string) error {
	attributes, err := netlink.MarshalAttributes([]netlink.Attribute{
		{Type: unix.NFTA_TABLE_NAME, Data: []byte(name + "\x00")},
		{Type: unix.NFTA_TABLE_FLAGS, Data: binary.BigEndian.AppendUint32(nil, tableFlagOwner)},
	})
	if err != nil {
		return err
	}
	message := func(kind int, flags netlink.HeaderFlags, family, resource uint16, data []byte) netlink.Message {
		// struct nfgenmsg: family, version 0, resource id (linux/netfilter/nfnetlink.h)
		header := binary.BigEndian.AppendUint16([]byte{byte(family), unix.NFNETLINK_V0}, resource)
		return netlink.Message{
			Header: netlink.Header{Type: netlink.HeaderType(kind), Flags: netlink.Request | flags},
			Data:   append(header, data...),
		}
	}
	_, err = socket.SendMessages([]netlink.Message{
		message(unix.NFNL_MSG_BATCH_BEGIN, 0, unix.AF_UNSPEC, unix.NFNL_SUBSYS_NFTABLES, nil),
		message(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_NEWTABLE, netlink.Create|netlink.Acknowledge, unix.NFPROTO_INET, 0, attributes),
		message(unix.NFNL_MSG_BATCH_END, 0, unix.AF_UNSPEC, unix.NFNL_SUBSYS_NFTABLES, nil),
	})
	if err != nil {
		return err
	}
	_, err = socket.Receive()
	return err
}
