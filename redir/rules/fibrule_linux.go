package rules

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// fibRule is one rule of the routing policy, whoever made it. The library's
// own reading leaves out what the rule does (fib_rule_hdr.action) and l3mdev.
type fibRule struct {
	family     int
	priority   uint32
	protocol   byte // who made it: rtm_protocol
	action     byte // FR_ACT_*
	table      uint32
	jump       uint32 // priority that FR_ACT_GOTO goes to
	invert     bool   // matches what its selectors do not
	mark, mask uint32 // mask 0: any mark
	src, dst   netip.Prefix
	iif, oif   string
	uids       *[2]uint32
	l3mdev     bool     // the table of the VRF that the packet belongs to
	more       []string // selectors of other kinds, as ip(8) shows them
	suppress   string   // what the table's answer must not be, as ip(8) shows it
}

// selector attributes of a rule that are shown but not weighed: each narrows it.
var furtherSelectors = map[uint16]string{
	unix.FRA_TUN_ID: "tun_id", unix.FRA_IP_PROTO: "ipproto", unix.FRA_SPORT_RANGE: "sport", unix.FRA_DPORT_RANGE: "dport",
}

// readRules lists a family's rules in the order in which the kernel asks them.
func readRules(family int) ([]fibRule, error) {
	header := make([]byte, unix.SizeofRtMsg) // struct fib_rule_hdr is as long
	header[0] = byte(family)
	messages, err := routeRequest(unix.RTM_GETRULE, netlink.Dump, header)
	if err != nil {
		return nil, fmt.Errorf("%s rule: %w", familyName(family), err)
	}
	var all []fibRule
	for _, m := range messages {
		rule, err := parseRule(m.Data)
		if err != nil {
			return nil, fmt.Errorf("%s rule: %w", familyName(family), err)
		}
		all = append(all, rule)
	}
	return all, nil
}

// parseRule reads struct fib_rule_hdr (linux/fib_rules.h) and its attributes.
func parseRule(data []byte) (fibRule, error) {
	if len(data) < unix.SizeofRtMsg {
		return fibRule{}, fmt.Errorf("message of %d bytes", len(data))
	}
	r := fibRule{family: int(data[0]), table: uint32(data[4]), action: data[7]}
	dstBits, srcBits, tos := int(data[1]), int(data[2]), data[3]
	if tos != 0 {
		r.more = append(r.more, fmt.Sprintf("tos %#x", tos))
	}
	r.invert = binary.NativeEndian.Uint32(data[8:])&unix.FIB_RULE_INVERT != 0
	attributes, err := netlink.NewAttributeDecoder(data[unix.SizeofRtMsg:])
	if err != nil {
		return fibRule{}, err
	}
	for attributes.Next() {
		switch kind := attributes.Type(); kind {
		case unix.FRA_PRIORITY:
			r.priority = attributes.Uint32()
		case unix.FRA_TABLE:
			r.table = attributes.Uint32()
		case unix.FRA_PROTOCOL:
			r.protocol = attributes.Uint8()
		case unix.FRA_GOTO:
			r.jump = attributes.Uint32()
		case unix.FRA_L3MDEV:
			r.l3mdev = attributes.Uint8() != 0
		case unix.FRA_SUPPRESS_PREFIXLEN:
			if n := int32(attributes.Uint32()); n >= 0 {
				r.suppress = fmt.Sprintf(" suppress_prefixlength %d", n)
			}
		default:
			r.selector(kind, attributes.Bytes(), dstBits, srcBits)
		}
	}
	return r, attributes.Err()
}

// selector notes an attribute that says which packets the rule is for.
func (r *fibRule) selector(kind uint16, value []byte, dstBits, srcBits int) {
	switch {
	case kind == unix.FRA_DST:
		r.dst = prefixOf(value, dstBits)
	case kind == unix.FRA_SRC:
		r.src = prefixOf(value, srcBits)
	case kind == unix.FRA_IIFNAME:
		r.iif = unix.ByteSliceToString(value)
	case kind == unix.FRA_OIFNAME:
		r.oif = unix.ByteSliceToString(value)
	case kind == unix.FRA_FWMARK && len(value) == 4:
		r.mark = binary.NativeEndian.Uint32(value)
	case kind == unix.FRA_FWMASK && len(value) == 4:
		r.mask = binary.NativeEndian.Uint32(value)
	case kind == unix.FRA_UID_RANGE && len(value) == 8:
		r.uids = &[2]uint32{binary.NativeEndian.Uint32(value), binary.NativeEndian.Uint32(value[4:])}
	case furtherSelectors[kind] != "":
		r.more = append(r.more, furtherSelectors[kind]+" "+selectorText(kind, value))
	}
}

func selectorText(kind uint16, value []byte) string {
	switch {
	case kind == unix.FRA_IP_PROTO && len(value) == 1:
		return fmt.Sprint(value[0])
	case kind == unix.FRA_TUN_ID && len(value) == 8:
		return fmt.Sprint(binary.BigEndian.Uint64(value))
	case len(value) == 4: // struct fib_rule_port_range
		return PortRange{binary.NativeEndian.Uint16(value), binary.NativeEndian.Uint16(value[2:])}.String()
	}
	return fmt.Sprintf("%x", value)
}

func prefixOf(addr []byte, bits int) netip.Prefix {
	a, _ := netip.AddrFromSlice(addr)
	return netip.PrefixFrom(a, bits)
}

// String is the rule as ip(8) shows it, and who made it.
func (r fibRule) String() string {
	return fmt.Sprintf("%s rule %d: %s (protocol %s)", familyName(r.family), r.priority, r.body(), protocolName(r.protocol))
}

// body is what the rule matches and does.
func (r fibRule) body() string {
	var b strings.Builder
	if r.invert {
		b.WriteString("not ")
	}
	from := "all"
	if r.src.IsValid() {
		from = r.src.String()
	}
	b.WriteString("from " + from)
	if r.dst.IsValid() {
		b.WriteString(" to " + r.dst.String())
	}
	if r.mask != 0 {
		fmt.Fprintf(&b, " fwmark %#x/%#x", r.mark, r.mask)
	}
	if r.iif != "" {
		b.WriteString(" iif " + r.iif)
	}
	if r.oif != "" {
		b.WriteString(" oif " + r.oif)
	}
	if r.uids != nil {
		fmt.Fprintf(&b, " uidrange %d-%d", r.uids[0], r.uids[1])
	}
	for _, text := range r.more {
		b.WriteString(" " + text)
	}
	return b.String() + " " + r.deed()
}

// deed is what the rule does with what it matches.
func (r fibRule) deed() string {
	switch r.action {
	case unix.FR_ACT_TO_TBL:
		if r.l3mdev {
			return "lookup of the VRF"
		}
		return "lookup " + tableName(r.table) + r.suppress
	case unix.FR_ACT_GOTO:
		return fmt.Sprintf("goto %d", r.jump)
	case unix.FR_ACT_NOP:
		return "nop"
	case unix.FR_ACT_BLACKHOLE:
		return "blackhole"
	case unix.FR_ACT_UNREACHABLE:
		return "unreachable"
	case unix.FR_ACT_PROHIBIT:
		return "prohibit"
	}
	return fmt.Sprintf("action %d", r.action)
}

// tableName is the system's own name of a table, or its number.
func tableName(number uint32) string {
	switch number {
	case unix.RT_TABLE_LOCAL:
		return "local"
	case unix.RT_TABLE_MAIN:
		return "main"
	case unix.RT_TABLE_DEFAULT:
		return "default"
	}
	return fmt.Sprint(number)
}

// routeRequest asks rtnetlink one thing, in the namespace of the calling
// thread. The kernel checks and filters dumps by what is asked for
// (NETLINK_GET_STRICT_CHK, Linux 4.20), which spares reading a million routes.
func routeRequest(kind uint16, flags netlink.HeaderFlags, data []byte) ([]netlink.Message, error) {
	socket, err := netlink.Dial(unix.NETLINK_ROUTE, nil)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	defer socket.Close()
	if flags&netlink.Dump == netlink.Dump {
		_ = socket.SetOption(netlink.GetStrictCheck, true) // an older kernel sends more, which is sorted out
	}
	return socket.Execute(netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(kind), Flags: netlink.Request | flags},
		Data:   data,
	})
}
