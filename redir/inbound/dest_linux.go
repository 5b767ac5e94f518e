package inbound

import (
	"errors"
	"net/netip"

	"sluice/redir/socket"
)

// errNoDest says that the kernel gave an address that is none.
var errNoDest = errors.New("original destination is not an internet address")

// Dest is where the accepted connection fd of client was going. A TPROXY socket
// has that as its own address (Documentation/networking/tproxy.rst); conntrack
// must not be asked there, since an unrelated NAT rule could have rewritten
// what it remembers. A REDIRECT socket's was rewritten, and conntrack's answer
// is the one. A Direct one's is where the client connected to, which is not where
// the inbound leads.
func (k Kind) Dest(fd int, client netip.Addr) (netip.AddrPort, error) {
	var dest netip.AddrPort
	var err error
	if k != Redirect {
		dest, err = socket.LocalAddr(fd)
	} else {
		dest, err = socket.OriginalDest(fd, socket.Family(client))
	}
	if err != nil {
		return netip.AddrPort{}, err
	}
	if !dest.IsValid() {
		return netip.AddrPort{}, errNoDest
	}
	return dest, nil
}
