package rules

import (
	"fmt"
	"strings"
)

// Matches by the packet's socket and by its flow, and statements.
type (
	// transparentSocket matches a packet for which an IP_TRANSPARENT socket of
	// this machine is there, or an ICMP error about one that it sent; a listener
	// on every address too.
	transparentSocket struct{}
	// wildcardSocket matches a packet whose socket is a listener on every
	// address (nft_socket, Linux 5.11).
	wildcardSocket struct{}
	// handedOver matches a packet to which tproxy has tied a socket: it has an
	// owner (nft_meta_get_eval_skugid), where no packet that came in has one yet.
	handedOver struct{}
	// socketMarkIs matches SO_MARK of the sending socket, whatever has become of
	// the packet's mark, by its own bits alone.
	socketMarkIs struct{ mark uint32 }
	uidIn        struct{ set string }
	cgroupIs     struct{ path string }

	// flowIn matches a packet whose addresses and ports the set has.
	flowIn struct {
		family, proto byte
		set           string
	}
	ctZoneIs struct{ zone uint16 }

	ctNew      struct{}
	ctWithout  struct{} // without history: a flow that has not been answered, or none
	ctUnderWay struct{} // a flow that has been answered
	ctReply    struct{}
	ctOriginal struct{}
	ctMarkIs   struct{ mark, mask uint32 }
	ctLabelIs  struct{ label int }

	setMark    struct{ mark, mask uint32 }
	setCtMark  struct{ mark, mask uint32 }
	setCtLabel struct{ label int }
	setZone    struct{ zone uint16 } // before the connection tracker
	tproxyTo   struct{ port uint16 }
	tproxyAt   struct { // to the listener on the family's address of returnAddrs
		family byte
		port   uint16
	}
	redirectTo struct{ port uint16 }
	// noteFlow puts the packet's addresses and ports into a set, or keeps them
	// there; with the ends changed, those of what would answer it.
	noteFlow struct {
		family, proto byte
		set           string
		changed       bool
	}
	noTrack     struct{} // before the connection tracker: it makes no entry
	countIn     struct{ name string }
	verdict     string // accept, drop or return
	jump        string // to a chain, and back
	goTo        string // to a chain, and not back
	commentTerm string // the rule's comment; always last
)

const (
	accept verdict = "accept"
	drop   verdict = "drop"
	goBack verdict = "return"
)

func (transparentSocket) nft() string { return "socket transparent 1" }
func (wildcardSocket) nft() string    { return "socket wildcard 1" }
func (handedOver) nft() string        { return fmt.Sprintf("meta skuid != %d", uint32(noUser)) }
func (t socketMarkIs) nft() string    { return "socket mark" + maskedMatch(t.mark, t.mark) }
func (t uidIn) nft() string           { return "meta skuid @" + t.set }
func (t cgroupIs) nft() string {
	path := strings.Trim(t.path, "/")
	return fmt.Sprintf("socket cgroupv2 level %d %q", cgroupLevel(path), path)
}
func (ctNew) nft() string        { return "ct state new" }
func (ctWithout) nft() string    { return "ct state invalid,new,untracked" }
func (ctUnderWay) nft() string   { return "ct state established,related" }
func (ctReply) nft() string      { return "ct direction reply" }
func (ctOriginal) nft() string   { return "ct direction original" }
func (t ctMarkIs) nft() string   { return "ct mark" + maskedMatch(t.mark, t.mask) }
func (t ctLabelIs) nft() string  { return fmt.Sprintf("ct label %d", t.label) }
func (t setMark) nft() string    { return "meta mark set" + maskedSet("meta mark", t.mark, t.mask) }
func (t setCtMark) nft() string  { return "ct mark set" + maskedSet("ct mark", t.mark, t.mask) }
func (t setCtLabel) nft() string { return fmt.Sprintf("ct label set %d", t.label) }
func (t setZone) nft() string    { return fmt.Sprintf("ct zone set %d", t.zone) }
func (t tproxyTo) nft() string   { return fmt.Sprintf("tproxy to :%d", t.port) }
func (t tproxyAt) nft() string {
	if t.family == familyIPv6 {
		return fmt.Sprintf("tproxy ip6 to [%s]:%d", returnAddrs[t.family], t.port)
	}
	return fmt.Sprintf("tproxy ip to %s:%d", returnAddrs[t.family], t.port)
}
func (t redirectTo) nft() string  { return fmt.Sprintf("redirect to :%d", t.port) }
func (noTrack) nft() string       { return "notrack" }
func (t countIn) nft() string     { return "counter name " + t.name }
func (t verdict) nft() string     { return string(t) }
func (t jump) nft() string        { return "jump " + string(t) }
func (t goTo) nft() string        { return "goto " + string(t) }
func (t commentTerm) nft() string { return fmt.Sprintf("comment %q", string(t)) }

func (t flowIn) nft() string {
	return flowText(t.family, t.proto, "s", "d") + " @" + t.set
}
func (t ctZoneIs) nft() string { return fmt.Sprintf("ct zone %d", t.zone) }
func (t noteFlow) nft() string {
	flow := flowText(t.family, t.proto, "s", "d")
	if t.changed {
		flow = flowText(t.family, t.proto, "d", "s")
	}
	return fmt.Sprintf("update @%s { %s }", t.set, flow)
}

// flowText is a packet's addresses and ports, one end (s or d) before the other.
func flowText(family, proto byte, end, other string) string {
	header := "ip"
	if family == familyIPv6 {
		header = "ip6"
	}
	return fmt.Sprintf("%[1]s %[3]saddr . %[2]s %[3]sport . %[1]s %[4]saddr . %[2]s %[4]sport", header, protoName(proto), end, other)
}

func maskedMatch(mark, mask uint32) string {
	if mask == allBits {
		return fmt.Sprintf(" == 0x%08x", mark)
	}
	return fmt.Sprintf(" & 0x%08x == 0x%08x", mask, mark)
}

func maskedSet(field string, mark, mask uint32) string {
	if mask == allBits {
		return fmt.Sprintf(" 0x%08x", mark)
	}
	return fmt.Sprintf(" %s & 0x%08x ^ 0x%08x", field, ^mask, mark)
}

// allBits is the mask that leaves no bit out.
const allBits = 0xffffffff

// noUser is the user id that no process has (INVALID_UID, linux/uidgid.h).
const noUser = 0xffffffff
