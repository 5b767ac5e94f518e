package rules

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// fibRoute is one route of a table, or the kernel's answer for a packet.
type fibRoute struct {
	family   int
	kind     byte // RTN_*
	protocol byte
	table    uint32
	dst      netip.Prefix // not valid: default
	metric   uint32
	gateway  netip.Addr
	iface    int // index; 0: none
	flags    uint32
}

// readRoutes lists the routes of one table that lead to one interface (0: any
// or none). That there is no such table is no error.
func readRoutes(family, table, iface int) ([]fibRoute, error) {
	request := make([]byte, unix.SizeofRtMsg)
	request[0] = byte(family)
	request = append(request, attribute(unix.RTA_TABLE, number(uint32(table)))...)
	if iface != 0 {
		request = append(request, attribute(unix.RTA_OIF, number(uint32(iface)))...)
	}
	messages, err := routeRequest(unix.RTM_GETROUTE, netlink.Dump, request)
	if err != nil && !errors.Is(err, unix.ENOENT) { // no such table yet
		return nil, fmt.Errorf("%s route show table %d: %w", familyName(family), table, err)
	}
	var routes []fibRoute
	for _, m := range messages {
		route, err := parseRoute(m.Data)
		if err != nil {
			return nil, fmt.Errorf("%s route show table %d: %w", familyName(family), table, err)
		}
		other := iface != 0 && route.iface != iface
		if route.table == uint32(table) && route.flags&unix.RTM_F_CLONED == 0 && !other {
			routes = append(routes, route)
		}
	}
	return routes, nil
}

// parseRoute reads struct rtmsg (linux/rtnetlink.h) and its attributes.
func parseRoute(data []byte) (fibRoute, error) {
	if len(data) < unix.SizeofRtMsg {
		return fibRoute{}, fmt.Errorf("message of %d bytes", len(data))
	}
	r := fibRoute{
		family: int(data[0]), table: uint32(data[4]), protocol: data[5], kind: data[7],
		flags: binary.NativeEndian.Uint32(data[8:]),
	}
	bits := int(data[1])
	attributes, err := netlink.NewAttributeDecoder(data[unix.SizeofRtMsg:])
	if err != nil {
		return fibRoute{}, err
	}
	for attributes.Next() {
		switch attributes.Type() {
		case unix.RTA_TABLE:
			r.table = attributes.Uint32()
		case unix.RTA_DST:
			if bits > 0 {
				r.dst = prefixOf(attributes.Bytes(), bits)
			}
		case unix.RTA_PRIORITY:
			r.metric = attributes.Uint32()
		case unix.RTA_OIF:
			r.iface = int(attributes.Uint32())
		case unix.RTA_GATEWAY:
			r.gateway, _ = netip.AddrFromSlice(attributes.Bytes())
		}
	}
	return r, attributes.Err()
}

// everythingLocal tells whether the route is what ours is, whoever made it.
func (r fibRoute) everythingLocal() bool {
	return r.kind == unix.RTN_LOCAL && !r.dst.IsValid() && r.iface == loopback
}

// loopback is the index of lo, in every namespace (LOOPBACK_IFINDEX).
const loopback = 1

// attribute is one netlink attribute, padded (struct rtattr).
func attribute(kind uint16, value []byte) []byte {
	all := binary.NativeEndian.AppendUint16(nil, uint16(unix.SizeofRtAttr+len(value)))
	all = append(binary.NativeEndian.AppendUint16(all, kind), value...)
	return append(all, make([]byte, -len(all)&(unix.RTA_ALIGNTO-1))...)
}

func number(n uint32) []byte { return binary.NativeEndian.AppendUint32(nil, n) }

// String is the route as ip(8) shows it, and who made it.
func (r fibRoute) String() string {
	return fmt.Sprintf("%s route %s table %s (protocol %s)", familyName(r.family), r.body(), tableName(r.table), protocolName(r.protocol))
}

func (r fibRoute) body() string {
	var b strings.Builder
	if r.kind != unix.RTN_UNICAST {
		b.WriteString(routeKind(r.kind) + " ")
	}
	if r.dst.IsValid() {
		b.WriteString(r.dst.String())
	} else {
		b.WriteString("default")
	}
	if r.gateway.IsValid() {
		b.WriteString(" via " + r.gateway.String())
	}
	if r.iface != 0 {
		b.WriteString(" dev " + ifaceName(r.iface))
	}
	if r.metric != 0 {
		fmt.Fprintf(&b, " metric %d", r.metric)
	}
	return b.String()
}

// routeKind is ip(8)'s name of a route's type.
func routeKind(kind byte) string {
	names := map[byte]string{
		unix.RTN_UNICAST: "unicast", unix.RTN_LOCAL: "local", unix.RTN_BROADCAST: "broadcast", unix.RTN_ANYCAST: "anycast",
		unix.RTN_MULTICAST: "multicast", unix.RTN_BLACKHOLE: "blackhole", unix.RTN_UNREACHABLE: "unreachable",
		unix.RTN_PROHIBIT: "prohibit", unix.RTN_THROW: "throw", unix.RTN_NAT: "nat",
	}
	if name, ok := names[kind]; ok {
		return name
	}
	return fmt.Sprintf("type %d", kind)
}

func ifaceName(index int) string {
	if iface, err := net.InterfaceByIndex(index); err == nil {
		return iface.Name
	}
	return fmt.Sprintf("if%d", index)
}
