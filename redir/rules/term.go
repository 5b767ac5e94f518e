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

type (
	ifaceIs    struct{ name string }
	ifaceNotIn struct{ set string }
	protoIs    struct{ proto byte }
	protoNotIn struct{ protos []byte }
	markIs     struct {
		mark, mask uint32
		not        bool
	}
	// transparentSocket matches a TCP packet of a connection that an
	// IP_TRANSPARENT socket of this machine already has. wildcard 0 leaves
	// listeners out: a packet to any host at the listener's own port number
	// would otherwise match (nft_socket, wildcard since Linux 5.11).
	transparentSocket struct{}
	// notOpening matches a TCP packet that does not open a connection. One that
	// does must go to tproxy even where a socket in TIME_WAIT has its addresses:
	// tproxy finds the listener then (nf_tproxy_handle_time_wait4), while the
	// plain lookup finds none at the original port, answers with an ACK, and the
	// client tries again a second later.
	notOpening struct{}
	// toGateway matches the gateway's own addresses, broadcast, anycast and
	// multicast, by the routing tables (nft_fib).
	toGateway struct{}
	// underWay matches a flow that has been answered and that does not bear
	// the fwmark in its conntrack mark, so was not diverted when it began.
	ctUnderWay struct{}
	ctReply    struct{}
	ctMarkIs   struct {
		mark, mask uint32
		not        bool
	}
	destIn struct {
		family byte
		set    string
		not    bool
	}
	portNotIn   struct{ set string }
	uidIn       struct{ set string }
	cgroupIs    struct{ path string }
	setMark     struct{ mark, mask uint32 }
	setCtMark   struct{ mark, mask uint32 }
	tproxyTo    struct{ port uint16 }
	redirectTo  struct{ port uint16 }
	countIn     struct{ name string }
	verdict     string // accept, drop or return
	commentTerm string // the rule's comment; always last
)

const (
	accept  verdict = "accept"
	drop    verdict = "drop"
	goBack  verdict = "return"
	fibHere         = "{ local, broadcast, anycast, multicast }"
)

func (t ifaceIs) nft() string    { return fmt.Sprintf("iifname %q", t.name) }
func (t ifaceNotIn) nft() string { return "iifname != @" + t.set }
func (t protoIs) nft() string    { return "meta l4proto " + protoName(t.proto) }
func (t protoNotIn) nft() string {
	if len(t.protos) == 1 {
		return "meta l4proto != " + protoName(t.protos[0])
	}
	return "meta l4proto != { tcp, udp }"
}
func (t markIs) nft() string          { return "meta mark" + maskedMatch(t.mark, t.mask, t.not) }
func (transparentSocket) nft() string { return "socket transparent 1 socket wildcard 0" }
func (notOpening) nft() string        { return "tcp flags & (fin | syn | rst | ack) != syn" }
func (toGateway) nft() string         { return "fib daddr type " + fibHere }
func (ctUnderWay) nft() string        { return "ct state established,related" }
func (ctReply) nft() string           { return "ct direction reply" }
func (t ctMarkIs) nft() string        { return "ct mark" + maskedMatch(t.mark, t.mask, t.not) }
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
func (t portNotIn) nft() string { return "th dport != @" + t.set }
func (t uidIn) nft() string     { return "meta skuid @" + t.set }
func (t cgroupIs) nft() string {
	path := strings.Trim(t.path, "/")
	return fmt.Sprintf("socket cgroupv2 level %d %q", cgroupLevel(path), path)
}
func (t setMark) nft() string     { return "meta mark set" + maskedSet("meta mark", t.mark, t.mask) }
func (t setCtMark) nft() string   { return "ct mark set" + maskedSet("ct mark", t.mark, t.mask) }
func (t tproxyTo) nft() string    { return fmt.Sprintf("tproxy to :%d", t.port) }
func (t redirectTo) nft() string  { return fmt.Sprintf("redirect to :%d", t.port) }
func (t countIn) nft() string     { return "counter name " + t.name }
func (t verdict) nft() string     { return string(t) }
func (t commentTerm) nft() string { return fmt.Sprintf("comment %q", string(t)) }

func maskedMatch(mark, mask uint32, not bool) string {
	operator := "=="
	if not {
		operator = "!="
	}
	if mask == allBits {
		return fmt.Sprintf(" %s 0x%08x", operator, mark)
	}
	return fmt.Sprintf(" & 0x%08x %s 0x%08x", mask, operator, mark)
}

func maskedSet(field string, mark, mask uint32) string {
	if mask == allBits {
		return fmt.Sprintf(" 0x%08x", mark)
	}
	return fmt.Sprintf(" %s & 0x%08x ^ 0x%08x", field, ^mask, mark)
}

// allBits is the mask that leaves no bit out.
const allBits = 0xffffffff

func protoName(proto byte) string {
	if proto == protoTCP {
		return "tcp"
	}
	return "udp"
}
