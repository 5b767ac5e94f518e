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

// mortal tells whether the table has to end with the process. REDIRECT
// cannot ask whether anybody listens, so to fail open it must not be there.
func (p *Plan) mortal() bool { return p.Spec.Via == Redirect && p.Spec.Fail == Open }

// writeMortal writes the table, over one of ours that exists, and bound to
// this process if the plan says so.
func (i *Installed) writeMortal(plan *Plan, t table, counts map[string]Counter, exists bool) error {
	if i.plan != nil && i.plan.mortal() || plan.mortal() {
		if err := errors.Join(i.drop(), i.conn.CloseLasting()); err != nil {
			return err
		}
	}
	if !plan.mortal() {
		i.conn = newConn()
		if exists {
			return replaceTable(i.conn, t, counts)
		}
		return errors.Join(writeTable(i.conn, TableName, t, counts, false), deleteTable(i.conn, stepTable))
	}
	var socket *netlink.Conn
	conn, err := nftables.New(nftables.AsLasting(), nftables.WithSockOptions(func(c *netlink.Conn) error {
		socket = c
		return nil
	}))
	if err != nil {
		return err
	}
	i.conn = conn
	if err := createOwned(socket); err != nil {
		return fmt.Errorf("table inet %s that ends with the process: %w", TableName, explain(err))
	}
	return writeTable(conn, TableName, t, counts, true)
}

// createOwned creates the empty table, owned by the socket. The library
// cannot set a table's flags, so the batch is written out here.
func createOwned(socket *netlink.Conn) error {
	attributes, err := netlink.MarshalAttributes([]netlink.Attribute{
		{Type: unix.NFTA_TABLE_NAME, Data: []byte(TableName + "\x00")},
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
