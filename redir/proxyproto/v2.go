package proxyproto

import (
	"encoding/binary"
	"net/netip"
)

const (
	signatureV2 = "\r\n\r\n\x00\r\nQUIT\n"
	// headV2 is the length of what comes before the addresses: signature, version
	// and command, family and network, length of the rest.
	headV2 = len(signatureV2) + 4

	version2 = 0x20 // of the 13th byte, the upper half; the lower is the command
	local    = 0x0
	proxy    = 0x1

	unspecified = 0x00 // of the 14th byte, the upper half
	inet4       = 0x10
	inet6       = 0x20
	unix        = 0x30
	stream      = 0x1 // the lower half
	datagram    = 0x2

	addrs4    = 2*4 + 2*2 // length of two addresses and two ports
	addrs6    = 2*16 + 2*2
	addrsUnix = 2 * 108 // of two paths
)

func parseV2(b []byte) (Header, int, Verdict) {
	if v := begins(b, signatureV2); v == Absent {
		return Header{}, 0, Absent
	}
	if len(b) > len(signatureV2) && !isCommand(b[12]) || len(b) > len(signatureV2)+1 && !isFamily(b[13]) {
		return Header{}, 0, Malformed
	}
	if len(b) < headV2 {
		return Header{}, headV2, Incomplete
	}
	n := headV2 + int(binary.BigEndian.Uint16(b[14:]))
	if len(b) < n {
		return Header{}, n, Incomplete
	}
	h := Header{Version: V2}
	if b[12] == version2|local {
		h.Local = true // the block is to be discarded, with the family
		return h, n, Complete
	}
	tlvs, ok := h.addrsV2(b[13], b[headV2:n])
	if !ok || !checkTLVs(b[:n], n-len(tlvs)) {
		return Header{}, 0, Malformed
	}
	return h, n, Complete
}

func isCommand(b byte) bool { return b == version2|local || b == version2|proxy }

// isFamily tells whether the 14th byte has values that are defined, in both
// halves: others must be rejected (the specification, 2.2).
func isFamily(b byte) bool { return b&0xf0 <= unix && b&0xf <= datagram }

// addrsV2 takes the addresses that b begins with, and returns the rest. A block of
// which one half is unspecified is passed over.
func (h *Header) addrsV2(family byte, b []byte) (rest []byte, ok bool) {
	network := [...]Network{Unspecified, TCP, UDP}[family&0xf]
	size := 0
	switch family & 0xf0 {
	case inet4:
		size = addrs4
	case inet6:
		size = addrs6
	case unix:
		size = addrsUnix
	}
	switch {
	case size == 0 || network == Unspecified:
		return nil, true
	case len(b) < size:
		return nil, false
	case size == addrsUnix:
		h.Network = Unix
		return b[size:], true
	}
	h.Network = network
	var source, dest netip.Addr
	if size == addrs4 {
		source, dest = netip.AddrFrom4([4]byte(b)), netip.AddrFrom4([4]byte(b[4:]))
	} else {
		source, dest = netip.AddrFrom16([16]byte(b)).Unmap(), netip.AddrFrom16([16]byte(b[16:])).Unmap()
	}
	h.Source = netip.AddrPortFrom(source, binary.BigEndian.Uint16(b[size-4:]))
	h.Dest = netip.AddrPortFrom(dest, binary.BigEndian.Uint16(b[size-2:]))
	return b[size:], true
}
