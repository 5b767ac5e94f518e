package proxyproto

import (
	"bytes"
	"net/netip"
)

const (
	signatureV1 = "PROXY "
	lineEnd     = "\r\n"
	leastV1     = len("PROXY UNKNOWN\r\n")
	// mostV1 is that of UNKNOWN with two whole IPv6 addresses (the specification,
	// 2.1).
	mostV1 = 107
)

func parseV1(b []byte) (Header, int, Verdict) {
	if v := begins(b, signatureV1); v == Absent {
		return Header{}, 0, Absent
	}
	line := b[:min(len(b), mostV1)]
	end := bytes.Index(line, []byte(lineEnd))
	switch {
	case end >= 0:
	case len(line) == mostV1:
		return Header{}, 0, Malformed
	default:
		return Header{}, max(leastV1, len(b)+1), Incomplete
	}
	h := Header{Version: V1}
	network, rest, more := bytes.Cut(line[len(signatureV1):end], space)
	ok := false
	switch string(network) {
	case "TCP4":
		ok = more && h.addrsV1(rest, true)
	case "TCP6":
		ok = more && h.addrsV1(rest, false)
	case "UNKNOWN":
		ok = true // the rest of the line is to be ignored
	}
	if !ok {
		return Header{}, 0, Malformed
	}
	return h, end + len(lineEnd), Complete
}

var space = []byte{' '}

// addrsV1 takes "source dest port port". With TCP6 either address may be an IPv4
// one in its own form: nginx writes that where the families differ, against the
// specification.
func (h *Header) addrsV1(b []byte, only4 bool) bool {
	var addrs [2]netip.Addr
	for i := range addrs {
		word, rest, more := bytes.Cut(b, space)
		addr, ok := parseAddr(word)
		if !ok || !more || only4 && !addr.Is4() {
			return false
		}
		addrs[i], b = addr.Unmap(), rest
	}
	from, to, more := bytes.Cut(b, space)
	source, ok := parsePort(from)
	dest, ok2 := parsePort(to)
	if !more || !ok || !ok2 {
		return false
	}
	h.Network = TCP
	h.Source = netip.AddrPortFrom(addrs[0], source)
	h.Dest = netip.AddrPortFrom(addrs[1], dest)
	return true
}

// parseAddr takes an address without a zone: that of another machine means
// nothing here.
func parseAddr(b []byte) (netip.Addr, bool) {
	if bytes.IndexByte(b, '%') >= 0 {
		return netip.Addr{}, false
	}
	addr, err := netip.ParseAddr(text(b))
	return addr, err == nil
}

// parsePort takes a decimal number without leading zeros (the specification, 2.1).
func parsePort(b []byte) (uint16, bool) {
	const digits = len("65535")
	if len(b) == 0 || len(b) > digits || b[0] == '0' && len(b) > 1 {
		return 0, false
	}
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return uint16(n), n < 1<<16
}
