package greet

import (
	"encoding/binary"
	"net/netip"
	"strconv"
)

// Request is what a proxy is asked for.
type Request struct {
	command byte
	name    string // takes the place of the address
	dest    netip.AddrPort
}

// Connect asks for a connection with dest.
func Connect(dest netip.AddrPort) Request {
	return Request{command: commandConnect, dest: dest}
}

// ConnectName asks for a connection with a port of a host, whose address the proxy
// finds. A name has 1 to 255 bytes, and is one of the domain name system.
func ConnectName(name string, port uint16) Request {
	return Request{command: commandConnect, name: name, dest: netip.AddrPortFrom(netip.Addr{}, port)}
}

// Associate asks a SOCKS5 proxy to relay datagrams that come from an address, or
// from any, where that is unspecified or its port 0 (RFC 1928, 7).
func Associate(from netip.AddrPort) Request {
	return Request{command: commandAssociate, dest: from}
}

// MostAppended is the length of the longest that Append appends to a SOCKS5 proxy,
// in bytes.
const MostAppended = 3 + 3 + 2*mostCredential + 4 + 1 + 255 + 2

// Append appends what the proxy is to be told now: at the begin, and after Say.
func (p *Proxy) Append(b []byte, s *State, r Request) []byte {
	switch {
	case p.protocol == HTTP:
		return p.appendConnect(b, r)
	case !s.waits:
		return appendRequest(append(append(b, p.greeting...), p.login...), r)
	case s.step == methodBegin:
		return append(b, p.greeting...)
	case s.step == loginBegin:
		return append(b, p.login...)
	}
	return appendRequest(b, r)
}

// appendRequest appends a request of SOCKS5 (RFC 1928, 4).
func appendRequest(b []byte, r Request) []byte {
	b = append(b, version5, r.command, 0)
	if r.name == "" {
		return appendAddr(b, r.dest)
	}
	b = append(append(b, typeName, byte(len(r.name))), r.name...)
	return binary.BigEndian.AppendUint16(b, r.dest.Port())
}

// appendAddr appends type, address and port (RFC 1928, 5).
func appendAddr(b []byte, at netip.AddrPort) []byte {
	if addr := at.Addr().Unmap(); addr.Is4() {
		v4 := addr.As4()
		b = append(append(b, typeIPv4), v4[:]...)
	} else {
		v6 := addr.As16()
		b = append(append(b, typeIPv6), v6[:]...)
	}
	return binary.BigEndian.AppendUint16(b, at.Port())
}

// appendConnect appends a request of HTTP.
func (p *Proxy) appendConnect(b []byte, r Request) []byte {
	b = append(b, "CONNECT "...)
	from := len(b)
	b = r.appendAuthority(b)
	authority := b[from:]
	b = append(append(b, " HTTP/1.1"+lineEnd+"Host: "...), authority...)
	return append(b, p.tail...)
}

// appendAuthority appends host:port.
func (r *Request) appendAuthority(b []byte) []byte {
	if r.name == "" {
		return netip.AddrPortFrom(r.dest.Addr().Unmap().WithZone(""), r.dest.Port()).AppendTo(b)
	}
	return strconv.AppendUint(append(append(b, r.name...), ':'), uint64(r.dest.Port()), 10)
}
