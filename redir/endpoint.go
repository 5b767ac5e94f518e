package redir

import "net/netip"

// endpoint is an address without a zone, and a port, in 18 bytes, where a
// netip.AddrPort takes 32: there are two in every conn. An IPv4 address is
// kept v4-mapped.
type endpoint struct {
	ip   [16]byte
	port uint16
}

func endpointOf(ap netip.AddrPort) endpoint {
	return endpoint{ip: ap.Addr().As16(), port: ap.Port()}
}

func (e endpoint) addrPort() netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(e.ip).Unmap(), e.port)
}
