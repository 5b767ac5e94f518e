package rules

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// attributeOwner is the port id of the socket that owns a table, in messages
// about it (NFTA_TABLE_OWNER, Linux 5.12; x/sys lacks it).
const attributeOwner = 7

// tableMessage is a message of nfnetlink: struct nfgenmsg (family, version 0,
// resource id; linux/netfilter/nfnetlink.h) and attributes.
func tableMessage(kind int, flags netlink.HeaderFlags, family, resource uint16, data []byte) netlink.Message {
	header := binary.BigEndian.AppendUint16([]byte{byte(family), unix.NFNETLINK_V0}, resource)
	return netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(kind), Flags: netlink.Request | flags},
		Data:   append(header, data...),
	}
}

func newTable(name string, flags uint32) netlink.Message {
	attributes := append(tableAttribute(unix.NFTA_TABLE_NAME, []byte(name+"\x00")),
		tableAttribute(unix.NFTA_TABLE_FLAGS, binary.BigEndian.AppendUint32(nil, flags))...)
	return tableMessage(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_NEWTABLE, netlink.Create|netlink.Acknowledge, unix.NFPROTO_INET, 0, attributes)
}

func oldTable(name string) netlink.Message {
	return tableMessage(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_DELTABLE, netlink.Acknowledge, unix.NFPROTO_INET, 0,
		tableAttribute(unix.NFTA_TABLE_NAME, []byte(name+"\x00")))
}

// tableAttribute is one netlink attribute, padded (struct nlattr, netlink(7)).
func tableAttribute(kind uint16, data []byte) []byte {
	const header, align = 4, 4
	b := binary.NativeEndian.AppendUint16(nil, uint16(header+len(data)))
	b = append(binary.NativeEndian.AppendUint16(b, kind), data...)
	return append(b, make([]byte, -len(b)&(align-1))...)
}

// readFlags reads a table's flags and the port id of the socket that owns it,
// 0 for none. It reports false when there is no such table.
func readFlags(name string) (flags, portID uint32, exists bool, err error) {
	socket, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return 0, 0, false, err
	}
	defer socket.Close()
	answers, err := socket.Execute(tableMessage(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_GETTABLE, 0, unix.NFPROTO_INET, 0,
		tableAttribute(unix.NFTA_TABLE_NAME, []byte(name+"\x00"))))
	switch {
	case errors.Is(err, os.ErrNotExist):
		return 0, 0, false, nil
	case err != nil:
		return 0, 0, false, fmt.Errorf("read table inet %s: %w", name, explain(err))
	case len(answers) == 0 || len(answers[0].Data) < 4:
		return 0, 0, true, nil
	}
	attributes, err := netlink.NewAttributeDecoder(answers[0].Data[4:])
	if err != nil {
		return 0, 0, true, err
	}
	attributes.ByteOrder = binary.BigEndian
	for attributes.Next() {
		switch attributes.Type() {
		case unix.NFTA_TABLE_FLAGS:
			flags = attributes.Uint32()
		case attributeOwner:
			portID = attributes.Uint32()
		}
	}
	return flags, portID, true, attributes.Err()
}
