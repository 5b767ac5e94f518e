package firewall

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// tries is how often a dump is begun anew when the ruleset changed meanwhile
// (NLM_F_DUMP_INTR).
const tries = 5

// Read reads all tables of the calling thread's network namespace; it needs
// CAP_NET_ADMIN.
func Read() (*Ruleset, error) {
	dump, err := ReadDump()
	if err != nil {
		return nil, err
	}
	return Decode(dump), nil
}

// ReadDump reads them as Decode takes them.
func ReadDump() ([]byte, error) {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, fmt.Errorf("read ruleset: %w", err)
	}
	defer conn.Close()
	_ = conn.SetReadBuffer(readBuffer)
	var dump []byte
	for range tries {
		var whole bool
		if dump, whole, err = readOnce(conn); err == nil && whole {
			return dump, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read ruleset: %w", err)
	}
	return dump, nil // it changes all the time: what was seen of it
}

// readBuffer in bytes holds a dump's answers while they are read.
const readBuffer = 4 << 20

func readOnce(conn *netlink.Conn) (dump []byte, whole bool, err error) {
	whole = true
	var sets []netlink.Message
	for _, kind := range []uint16{msgGetTable, msgGetChain, msgGetSet, msgGetRule} {
		messages, err := ask(conn, kind, unix.NFPROTO_UNSPEC, nil)
		if err != nil {
			return nil, false, err
		}
		if kind == msgGetSet {
			sets = messages
		}
		if dump, whole, err = appendTo(dump, messages, whole); err != nil {
			return nil, false, err
		}
	}
	for _, s := range sets {
		const generic = 4
		if len(s.Data) < generic {
			continue
		}
		list, err := netlink.MarshalAttributes([]netlink.Attribute{
			{Type: attrListTable, Data: append([]byte(text(s.Data[generic:], attrSetTable)), 0)},
			{Type: attrListSet, Data: append([]byte(text(s.Data[generic:], attrSetName)), 0)},
		})
		if err != nil {
			return nil, false, err
		}
		elements, err := ask(conn, msgGetElement, s.Data[0], list)
		if errors.Is(err, unix.ENOENT) {
			whole = false // gone meanwhile
			continue
		}
		if err != nil {
			return nil, false, err
		}
		if dump, whole, err = appendTo(dump, elements, whole); err != nil {
			return nil, false, err
		}
	}
	return dump, whole, nil
}

// appendTo adds messages in the kernel's form, and tells whether they are of
// one state of the ruleset.
func appendTo(dump []byte, messages []netlink.Message, whole bool) ([]byte, bool, error) {
	for _, m := range messages {
		const header, alignment = 16, 3
		m.Header.Length = uint32((header + len(m.Data) + alignment) &^ alignment)
		data, err := m.MarshalBinary()
		if err != nil {
			return nil, false, err
		}
		dump = append(dump, data...)
		whole = whole && m.Header.Flags&unix.NLM_F_DUMP_INTR == 0
	}
	return dump, whole, nil
}

// ask sends one request to nf_tables and returns the answers.
func ask(conn *netlink.Conn, kind uint16, family byte, data []byte) ([]netlink.Message, error) {
	generic := []byte{family, unix.NFNETLINK_V0, 0, 0}
	return conn.Execute(netlink.Message{
		Header: netlink.Header{
			Type:  netlink.HeaderType(unix.NFNL_SUBSYS_NFTABLES<<8 | kind),
			Flags: netlink.Request | netlink.Dump,
		},
		Data: append(generic, data...),
	})
}

// Counter reads a named counter of a table in family inet: packets.
func Counter(table, name string) (packets uint64, err error) {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return 0, fmt.Errorf("read counter: %w", err)
	}
	defer conn.Close()
	const objectTable, objectName, objectType, objectData, counter, counterPackets = 1, 2, 3, 4, 1, 2
	data, err := netlink.MarshalAttributes([]netlink.Attribute{
		{Type: objectTable, Data: append([]byte(table), 0)},
		{Type: objectName, Data: append([]byte(name), 0)},
		{Type: objectType, Data: binary.BigEndian.AppendUint32(nil, counter)},
	})
	if err != nil {
		return 0, err
	}
	messages, err := conn.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.NFNL_SUBSYS_NFTABLES<<8 | msgGetObject, Flags: netlink.Request},
		Data:   append([]byte{familyINet, unix.NFNETLINK_V0, 0, 0}, data...),
	})
	if err != nil {
		return 0, fmt.Errorf("read counter %s of table inet %s: %w", name, table, err)
	}
	for _, m := range messages {
		if len(m.Data) > 4 {
			packets = number(find(m.Data[4:], objectData), counterPackets)
		}
	}
	return packets, nil
}
