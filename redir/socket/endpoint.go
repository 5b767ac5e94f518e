package socket

import "net/netip"

// Endpoint is an address without a zone, and a port, in 18 bytes, where a
// netip.AddrPort takes 32: there are two in every conn. An IPv4 address is
// kept v4-mapped.
type Endpoint struct {
	ip   [16]byte
	port uint16
}

// EndpointOf is ap without its zone.
func EndpointOf(ap netip.AddrPort) Endpoint {
	return Endpoint{ip: ap.Addr().As16(), port: ap.Port()}
}

// AddrPort is the address, IPv4 unmapped, and the port.
func (e Endpoint) AddrPort() netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(e.ip).Unmap(), e.port)
}
