package rules

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// readAllRules lists the rules of all nftables tables of routed packets. The
// library decodes neither nft's own tproxy nor what precedes it, so the
// messages are read here.
func readAllRules() ([]handRule, error) {
	socket, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	defer socket.Close()
	messages, err := socket.Execute(netlink.Message{
		Header: netlink.Header{
			Type:  unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETRULE,
			Flags: netlink.Request | netlink.Dump,
		},
		Data: []byte{unix.NFPROTO_UNSPEC, unix.NFNETLINK_V0, 0, 0}, // struct nfgenmsg
	})
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPROTONOSUPPORT) { // no nftables
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the rules of all tables: %w", explain(err))
	}
	var all []handRule
	for _, m := range messages {
		if rule, err := parseHandRule(m.Data); err == nil {
			all = append(all, rule)
		}
	}
	return all, nil
}

// parseHandRule reads struct nfgenmsg and a rule's attributes.
func parseHandRule(data []byte) (handRule, error) {
	if len(data) < 4 {
		return handRule{}, fmt.Errorf("message of %d bytes", len(data))
	}
	rule := handRule{family: data[0]}
	attributes, err := netlink.NewAttributeDecoder(data[4:])
	if err != nil {
		return rule, err
	}
	attributes.ByteOrder = binary.BigEndian
	var d deliveryReader
	for attributes.Next() {
		switch attributes.Type() {
		case unix.NFTA_RULE_TABLE:
			rule.table = attributes.String()
		case unix.NFTA_RULE_CHAIN:
			rule.chain = attributes.String()
		case unix.NFTA_RULE_HANDLE:
			rule.handle = attributes.Uint64()
		case unix.NFTA_RULE_USERDATA:
			rule.comment = comment(attributes.Bytes())
		case unix.NFTA_RULE_EXPRESSIONS:
			attributes.Nested(func(list *netlink.AttributeDecoder) error {
				for list.Next() {
					list.Nested(d.expression)
				}
				return nil
			})
		}
	}
	rule.jumps, rule.delivers = d.jumps, d.delivery()
	if rule.comment == "" {
		rule.comment = d.comment
	}
	return rule, attributes.Err()
}

// deliveryReader follows a rule's expressions up to what delivers.
type deliveryReader struct {
	family    byte
	registers map[uint32][]byte // values that were loaded as they stand
	masks     map[uint32][]byte // of what a register keeps of what it was loaded with
	loads     map[uint32]string // what a register was loaded from: proto, iface
	jumps     []string
	comment   string
	found     *delivery
	mark      uint32
	mask      uint32
	proto     byte
	iface     string
}

func (d *deliveryReader) delivery() *delivery {
	if d.found == nil {
		return nil
	}
	if d.found.mask == 0 {
		d.found.mark, d.found.mask = d.mark, d.mask
	}
	d.found.proto, d.found.iface = d.proto, d.iface
	return d.found
}

// expression reads NFTA_EXPR_NAME and NFTA_EXPR_DATA.
func (d *deliveryReader) expression(e *netlink.AttributeDecoder) error {
	name := ""
	for e.Next() {
		switch e.Type() {
		case unix.NFTA_EXPR_NAME:
			name = e.String()
		case unix.NFTA_EXPR_DATA:
			e.Nested(func(data *netlink.AttributeDecoder) error {
				data.ByteOrder = binary.BigEndian
				return d.data(name, attributesOf(data))
			})
		}
	}
	return nil
}

// attributesOf gathers an expression's attributes, nested ones as they stand.
func attributesOf(d *netlink.AttributeDecoder) map[uint16][]byte {
	all := map[uint16][]byte{}
	for d.Next() {
		all[d.Type()] = append([]byte(nil), d.Bytes()...)
	}
	return all
}

func bigEndian(b []byte) uint32 {
	if len(b) != 4 {
		return 0
	}
	return binary.BigEndian.Uint32(b)
}

// data notes what an expression does to registers and packet.
func (d *deliveryReader) data(name string, a map[uint16][]byte) error {
	if d.registers == nil {
		d.registers, d.masks, d.loads = map[uint32][]byte{}, map[uint32][]byte{}, map[uint32]string{}
	}
	switch name {
	case "immediate":
		d.immediate(a)
	case "meta":
		d.meta(a)
	case "payload": // the protocol in IPv4's header is at 9
		d.loads[bigEndian(a[unix.NFTA_PAYLOAD_DREG])] = ""
		if bigEndian(a[unix.NFTA_PAYLOAD_BASE]) == unix.NFT_PAYLOAD_NETWORK_HEADER && bigEndian(a[unix.NFTA_PAYLOAD_OFFSET]) == 9 && bigEndian(a[unix.NFTA_PAYLOAD_LEN]) == 1 {
			d.loads[bigEndian(a[unix.NFTA_PAYLOAD_DREG])] = "proto"
		}
	case "cmp":
		d.compare(d.loads[bigEndian(a[unix.NFTA_CMP_SREG])], bigEndian(a[unix.NFTA_CMP_OP]), dataValue(a[unix.NFTA_CMP_DATA]))
	case "bitwise":
		to := bigEndian(a[unix.NFTA_BITWISE_DREG])
		d.registers[to], d.masks[to] = dataValue(a[unix.NFTA_BITWISE_XOR]), dataValue(a[unix.NFTA_BITWISE_MASK])
	case "tproxy":
		d.found = &delivery{via: TProxy, port: d.portIn(a[nftaTProxyRegPort])}
	case "redir":
		d.found = &delivery{via: Redirect, port: d.portIn(a[unix.NFTA_REDIR_REG_PROTO_MIN])}
	case "target":
		d.target(a)
	case "match":
		if unix.ByteSliceToString(a[unix.NFTA_MATCH_NAME]) == "comment" {
			d.comment = unix.ByteSliceToString(a[unix.NFTA_MATCH_INFO])
		}
	}
	return nil
}

// compare notes what is asked for.
func (d *deliveryReader) compare(loaded string, operator uint32, value []byte) {
	switch {
	case operator != unix.NFT_CMP_EQ || len(value) == 0:
	case loaded == "proto":
		d.proto = value[0]
	case loaded == "iface" && value[len(value)-1] == 0:
		d.iface = unix.ByteSliceToString(value)
	case loaded == "iface":
		d.iface = string(value) + anyTail
	}
}

// nftaTProxyRegPort is NFTA_TPROXY_REG_PORT (linux/netfilter/nf_tables.h).
const nftaTProxyRegPort = 3

func (d *deliveryReader) portIn(register []byte) uint16 {
	value := d.registers[bigEndian(register)]
	if len(value) < 2 {
		return 0
	}
	return binary.BigEndian.Uint16(value)
}

func (d *deliveryReader) immediate(a map[uint16][]byte) {
	list, err := netlink.NewAttributeDecoder(a[unix.NFTA_IMMEDIATE_DATA])
	if err != nil {
		return
	}
	for list.Next() {
		switch list.Type() {
		case unix.NFTA_DATA_VALUE:
			to := bigEndian(a[unix.NFTA_IMMEDIATE_DREG])
			d.registers[to], d.masks[to] = append([]byte(nil), list.Bytes()...), nil
		case unix.NFTA_DATA_VERDICT:
			list.Nested(func(verdict *netlink.AttributeDecoder) error {
				for verdict.Next() {
					if verdict.Type() == unix.NFTA_VERDICT_CHAIN {
						d.jumps = append(d.jumps, verdict.String())
					}
				}
				return nil
			})
		}
	}
}

// meta notes a mark that is set, and a protocol that is asked for.
func (d *deliveryReader) meta(a map[uint16][]byte) {
	key := bigEndian(a[unix.NFTA_META_KEY])
	if to, loads := a[unix.NFTA_META_DREG]; loads {
		d.loads[bigEndian(to)] = ""
		switch key {
		case unix.NFT_META_L4PROTO:
			d.loads[bigEndian(to)] = "proto"
		case unix.NFT_META_IIFNAME:
			d.loads[bigEndian(to)] = "iface"
		}
		return
	}
	from := bigEndian(a[unix.NFTA_META_SREG])
	if value := d.registers[from]; key == unix.NFT_META_MARK && len(value) == 4 {
		d.mark, d.mask = binary.NativeEndian.Uint32(value), allBits
		if kept := d.masks[from]; len(kept) == 4 {
			d.mask = ^binary.NativeEndian.Uint32(kept)
		}
	}
}

func dataValue(nested []byte) []byte {
	list, err := netlink.NewAttributeDecoder(nested)
	if err != nil {
		return nil
	}
	for list.Next() {
		if list.Type() == unix.NFTA_DATA_VALUE {
			return append([]byte(nil), list.Bytes()...)
		}
	}
	return nil
}

// target reads xtables' TPROXY (struct xt_tproxy_target_info, _v1) and
// REDIRECT (nf_nat_ipv4_multi_range_compat, nf_nat_range for IPv6).
func (d *deliveryReader) target(a map[uint16][]byte) {
	info := a[unix.NFTA_TARGET_INFO]
	at := func(offset int) uint16 {
		if len(info) < offset+2 {
			return 0
		}
		return binary.BigEndian.Uint16(info[offset:])
	}
	switch unix.ByteSliceToString(a[unix.NFTA_TARGET_NAME]) {
	case "TPROXY":
		d.found = &delivery{via: TProxy, port: at(12)}
		if bigEndian(a[unix.NFTA_TARGET_REV]) > 0 { // an IPv6 address stands before the port
			d.found.port = at(24)
		}
		if len(info) >= 8 {
			d.found.mask, d.found.mark = binary.NativeEndian.Uint32(info), binary.NativeEndian.Uint32(info[4:])
		}
	case "REDIRECT":
		d.found = &delivery{via: Redirect, port: at(16)}
		if len(info) >= 40 { // flags, two IPv6 addresses, two ports
			d.found.port = at(36)
		}
	}
}
