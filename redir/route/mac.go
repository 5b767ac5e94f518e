package route

import (
	"fmt"
	"net"
	"net/netip"
)

// MAC is the address of a host on an Ethernet or Wi-Fi link.
type MAC [6]byte

// ParseMAC reads 02:00:5e:10:00:00, also with - between.
func ParseMAC(text string) (m MAC, err error) {
	addr, err := net.ParseMAC(text)
	if err != nil || len(addr) != len(m) {
		return m, fmt.Errorf(`want a MAC address as "02:00:5e:10:00:00", not %q`, text)
	}
	return MAC(addr), nil
}

func (m MAC) String() string { return net.HardwareAddr(m[:]).String() }

// Neighbours knows which MAC addresses clients have. Any thread may ask.
type Neighbours interface {
	// MAC is that of the host with an address, if it is on a link and known.
	MAC(netip.Addr) (mac [6]byte, ok bool)
}
