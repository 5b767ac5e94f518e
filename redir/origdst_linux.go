package redir

import (
	"errors"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// errNoDest says that the kernel gave an address that is none.
var errNoDest = errors.New("original destination is not an internet address")

// originalDest is where the accepted connection fd was going. A TPROXY socket
// has that as its own address (Documentation/networking/tproxy.rst); conntrack
// must not be asked there, since an unrelated NAT rule could have rewritten
// what it remembers. A REDIRECT socket's was rewritten, and conntrack's
// answer is the one (getorigdst in net/netfilter/nf_conntrack_proto.c); it
// fails with ENOENT for a connection that conntrack does not know, and with
// ENOPROTOOPT where conntrack is not loaded.
func originalDest(k Kind, fd int, client netip.Addr) (netip.AddrPort, error) {
	var dest netip.AddrPort
	var err error
	switch {
	case k == TProxy:
		dest, err = localAddr(fd)
	case client.Is4():
		dest, err = sockaddrOption(fd, unix.SOL_IP, unix.SO_ORIGINAL_DST)
		err = os.NewSyscallError("getsockopt SO_ORIGINAL_DST", err)
	default:
		dest, err = sockaddrOption(fd, unix.SOL_IPV6, unix.SO_ORIGINAL_DST)
		err = os.NewSyscallError("getsockopt IP6T_SO_ORIGINAL_DST", err)
	}
	if err != nil {
		return netip.AddrPort{}, err
	}
	if !dest.IsValid() {
		return netip.AddrPort{}, errNoDest
	}
	return dest, nil
}
