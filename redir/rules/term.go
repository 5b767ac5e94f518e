package rules

import (
	"fmt"
	"strings"
)

// term is one match or statement of a rule, as data: it knows its nft text
// here, and encode_linux.go knows its kernel expressions. Both come from the
// same value, which is how the printed table and the installed one stay one.
type term interface{ nft() string }

// IP protocol numbers, in the order in which nft names them.
const (
	protoTCP = 6
	protoUDP = 17
)

// Address families, linux/netfilter.h NFPROTO_*.
const (
	familyIPv4 = 2
	familyIPv6 = 10
)

// rememberLabel is the conntrack label of flows that are diverted: the number
// of our routes (RouteProtocol), among 128.
const rememberLabel = 115

type (
	ifaceIs struct {
		name string // or a pattern
		not  bool
	}
	ifaceNotIn struct{ set string }
	outNotIn   struct{ set string }
	outIn      struct{ set string }
	outIs      struct{ name string }
	protoIs    struct{ proto byte }
	familyIs   struct{ family byte }
	protoNotIn struct{ protos []byte }
	markIs     struct{ mark, mask uint32 }
	// notOpening matches a TCP packet that does not open a connection. One that
	// does must go to tproxy even where a socket in TIME_WAIT has its addresses:
	// tproxy finds the listener then (nf_tproxy_handle_time_wait4), while the
	// plain lookup finds none at the original port, answers with an ACK, and the
	// client tries again a second later.
	notOpening struct{}
	// icmpError matches the errors that name a packet which somebody sent.
	icmpError struct{ family byte }
	// synAck matches the second segment of a handshake.
	synAck struct{}
	// tooBig6 matches ICMPv6's packet too big alone.
	tooBig6 struct{}
	// tooBig6OfUDP matches it where the packet that it is about was UDP, without
	// extension headers.
	tooBig6OfUDP struct{}
	destIn       struct {
		family byte
		set    string
		not    bool
	}
	sourceIn struct {
		family byte
		set    string
	}
	portNotIn struct{ set string }
	portIn    struct {
		set    string
		source bool
	}
	ifaceIn struct{ set string }
	// toGateway matches the gateway's own addresses, broadcast, anycast and
	// multicast, by the routing tables (nft_fib).
	toGateway struct{}
	// sourceOfOthers matches a source that is not the gateway's own address.
	sourceOfOthers struct{}
	// routeBy matches by the interfaces (or patterns) through which the routing
	// tables lead to the destination, asked with the packet's mark or without.
	routeBy struct {
		names     []string
		mark, not bool
	}
	// routeElsewhere matches where no route leads to the destination through
	// the interface that the packet came in at.
	routeElsewhere struct{}
)

func (t ifaceIs) nft() string {
	if t.not {
		return fmt.Sprintf("iifname != %q", t.name)
	}
	return fmt.Sprintf("iifname %q", t.name)
}
func (t ifaceNotIn) nft() string { return "iifname != @" + t.set }
func (t outNotIn) nft() string   { return "oifname != @" + t.set }
func (t outIn) nft() string      { return "oifname @" + t.set }
func (t outIs) nft() string      { return fmt.Sprintf("oifname %q", t.name) }
func (t protoIs) nft() string    { return "meta l4proto " + protoName(t.proto) }
func (t familyIs) nft() string {
	if t.family == familyIPv6 {
		return "meta nfproto ipv6"
	}
	return "meta nfproto ipv4"
}
func (t protoNotIn) nft() string {
	if len(t.protos) == 1 {
		return "meta l4proto != " + protoName(t.protos[0])
	}
	return "meta l4proto != { tcp, udp }"
}
func (t markIs) nft() string   { return "meta mark" + maskedMatch(t.mark, t.mask) }
func (notOpening) nft() string { return "tcp flags & (fin | syn | rst | ack) != syn" }
func (synAck) nft() string     { return "tcp flags & (fin | syn | rst | ack) == syn | ack" }
func (t icmpError) nft() string {
	names := make([]string, 0, 4)
	for _, kind := range icmpErrors[t.family] {
		names = append(names, kind.name)
	}
	header := "icmp"
	if t.family == familyIPv6 {
		header = "icmpv6"
	}
	return fmt.Sprintf("%s type { %s }", header, strings.Join(names, ", "))
}
func (tooBig6) nft() string { return "icmpv6 type packet-too-big" }
func (tooBig6OfUDP) nft() string {
	return fmt.Sprintf("icmpv6 type packet-too-big @th,%d,8 %d", 8*innerProtoAt, protoUDP)
}
func (t destIn) nft() string {
	header, operator := "ip", ""
	if t.family == familyIPv6 {
		header = "ip6"
	}
	if t.not {
		operator = "!= "
	}
	return fmt.Sprintf("%s daddr %s@%s", header, operator, t.set)
}
func (t sourceIn) nft() string {
	if t.family == familyIPv6 {
		return "ip6 saddr @" + t.set
	}
	return "ip saddr @" + t.set
}
func (t portNotIn) nft() string { return "th dport != @" + t.set }
func (t portIn) nft() string {
	if t.source {
		return "th sport @" + t.set
	}
	return "th dport @" + t.set
}
func (t ifaceIn) nft() string      { return "iifname @" + t.set }
func (toGateway) nft() string      { return "fib daddr type { local, broadcast, anycast, multicast }" }
func (sourceOfOthers) nft() string { return "fib saddr type != local" }
func (t routeBy) nft() string {
	text := "fib daddr oifname "
	if t.mark {
		text = "fib daddr . mark oifname "
	}
	if t.not {
		text += "!= "
	}
	if len(t.names) == 1 {
		return text + fmt.Sprintf("%q", t.names[0])
	}
	quoted := make([]string, len(t.names))
	for i, name := range t.names {
		quoted[i] = fmt.Sprintf("%q", name)
	}
	return text + "{ " + strings.Join(quoted, ", ") + " }"
}
func (routeElsewhere) nft() string { return "fib daddr . iif oif missing" }

// innerProtoAt is where an ICMPv6 error, in bytes from its beginning, has the next
// header of the packet that it is about (RFC 4443 section 3, RFC 8200 section 3).
const innerProtoAt = 8 + 6

// icmpErrors are the types that the kernel looks into for the packet that the
// error is about (extract_icmp4_fields, extract_icmp6_fields), but redirects.
var icmpErrors = map[byte][]struct {
	name string
	kind byte
}{
	familyIPv4: {{"destination-unreachable", 3}, {"time-exceeded", 11}, {"parameter-problem", 12}},
	familyIPv6: {{"destination-unreachable", 1}, {"packet-too-big", 2}, {"time-exceeded", 3}, {"parameter-problem", 4}},
}

func protoName(proto byte) string {
	if proto == protoTCP {
		return "tcp"
	}
	return "udp"
}
