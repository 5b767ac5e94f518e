package proxyproto

import (
	"encoding/binary"
	"net/netip"
	"strconv"
)

// AppendV1 appends the header of a TCP connection, in version 1. It has no form
// for addresses of two families: an IPv4 one beside an IPv6 one is written as
// IPv4-mapped. With an address that is not valid, it is UNKNOWN.
func AppendV1(b []byte, source, dest netip.AddrPort) []byte {
	b = append(b, signatureV1...)
	if !source.IsValid() || !dest.IsValid() {
		return append(b, "UNKNOWN"+lineEnd...)
	}
	from, to := source.Addr().Unmap(), dest.Addr().Unmap()
	if from.Is4() && to.Is4() {
		b = to.AppendTo(append(from.AppendTo(append(b, "TCP4 "...)), ' '))
	} else {
		b = appendText6(append(appendText6(append(b, "TCP6 "...), from), ' '), to)
	}
	b = strconv.AppendUint(append(b, ' '), uint64(source.Port()), 10)
	b = strconv.AppendUint(append(b, ' '), uint64(dest.Port()), 10)
	return append(b, lineEnd...)
}

// appendText6 writes an IPv4 address as mapped, in hexadecimal digits: the
// specification names no dotted form for TCP6.
func appendText6(b []byte, a netip.Addr) []byte {
	if a.Is6() {
		return a.WithZone("").AppendTo(b)
	}
	v4 := a.As4()
	b = strconv.AppendUint(append(b, "::ffff:"...), uint64(binary.BigEndian.Uint16(v4[:])), 16)
	return strconv.AppendUint(append(b, ':'), uint64(binary.BigEndian.Uint16(v4[2:])), 16)
}

// AppendV2 appends the header of a TCP connection or of a datagram, in version 2.
// An IPv4 address beside an IPv6 one is written as IPv4-mapped. With an address
// that is not valid, or another network, it tells of none.
func AppendV2(b []byte, network Network, source, dest netip.AddrPort) []byte {
	b = append(append(b, signatureV2...), version2|proxy)
	kind := byte(stream)
	switch {
	case !source.IsValid() || !dest.IsValid() || network != TCP && network != UDP:
		return append(b, unspecified, 0, 0)
	case network == UDP:
		kind = datagram
	}
	from, to := source.Addr().Unmap(), dest.Addr().Unmap()
	if from.Is4() && to.Is4() {
		b = append(b, inet4|kind, 0, addrs4)
		v4 := from.As4()
		b = append(b, v4[:]...)
		v4 = to.As4()
		b = append(b, v4[:]...)
	} else {
		b = append(b, inet6|kind, 0, addrs6)
		v6 := from.As16()
		b = append(b, v6[:]...)
		v6 = to.As16()
		b = append(b, v6[:]...)
	}
	b = binary.BigEndian.AppendUint16(b, source.Port())
	return binary.BigEndian.AppendUint16(b, dest.Port())
}

// MostAppended is the length of the longest header that AppendV1 and AppendV2
// write, in bytes.
const MostAppended = mostV1

// MostV2 is that of AppendV2 alone, and V2Size its length between two addresses.
const MostV2 = headV2 + addrs6

func V2Size(source, dest netip.Addr) int {
	if source.Is4() && dest.Is4() {
		return headV2 + addrs4
	}
	return MostV2
}
