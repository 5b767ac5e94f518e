package socket

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// IsListener asks the kernel whether fd is what Listen makes, at which address
// and of which network: a TCP socket that listens, or a UDP socket that is bound
// and connected to nobody.
func IsListener(fd int) (network int, addr netip.AddrPort, ok bool) {
	network, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return 0, addr, false
	}
	protocol, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	if err != nil {
		return 0, addr, false
	}
	switch {
	case network == unix.SOCK_STREAM && protocol == unix.IPPROTO_TCP:
		listens, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
		if err != nil || listens == 0 {
			return 0, addr, false
		}
	case network == unix.SOCK_DGRAM && protocol == unix.IPPROTO_UDP:
		if _, err := unix.Getpeername(fd); err == nil {
			return 0, addr, false
		}
	default:
		return 0, addr, false
	}
	addr, err = LocalAddr(fd)
	return network, addr, err == nil && addr.Port() != 0
}

// Adopt makes a listener of another process, whose description both share, as
// Listen would have made it. IPV6_V6ONLY cannot change once it is bound
// (ipv6_setsockopt), and is asked instead.
func Adopt(fd int, addr netip.AddrPort, transparent bool, network int) error {
	if err := unix.SetNonblock(fd, true); err != nil {
		return err
	}
	var options []Option
	for _, o := range listenerOptions(addr.Addr(), transparent, network) {
		if o.Level == unix.SOL_IPV6 && o.Opt == unix.IPV6_V6ONLY {
			only, err := unix.GetsockoptInt(fd, o.Level, o.Opt)
			if err != nil || only != o.Value {
				return unix.EADDRINUSE
			}
			continue
		}
		options = append(options, o)
	}
	return SetOptions(fd, options)
}
