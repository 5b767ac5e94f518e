package socket

import (
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// OriginalDest is where conntrack says that the accepted connection fd was
// going before its destination was rewritten (getorigdst in
// net/netfilter/nf_conntrack_proto.c). It fails with ENOENT for a connection
// that conntrack does not know, and with ENOPROTOOPT where conntrack is not
// loaded.
func OriginalDest(fd, family int) (netip.AddrPort, error) {
	if family == unix.AF_INET {
		dest, err := addrOption(fd, unix.SOL_IP, unix.SO_ORIGINAL_DST, unix.SizeofSockaddrInet4)
		return dest, os.NewSyscallError("getsockopt SO_ORIGINAL_DST", err)
	}
	dest, err := addrOption(fd, unix.SOL_IPV6, unix.SO_ORIGINAL_DST, unix.SizeofSockaddrInet6)
	return dest, os.NewSyscallError("getsockopt IP6T_SO_ORIGINAL_DST", err)
}
