package socket

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// SetTOS sets the type of service, or traffic class, of what a socket sends (ip(7)
// IP_TOS, ipv6(7) IPV6_TCLASS). ECN's bits of a TCP socket stay what they are
// (__ip_sock_set_tos in net/ipv4/ip_sockglue.c).
func SetTOS(fd, family int, tos uint8) syscall.Errno {
	if family == unix.AF_INET {
		return SetInt(fd, unix.SOL_IP, unix.IP_TOS, int32(tos))
	}
	return SetInt(fd, unix.SOL_IPV6, unix.IPV6_TCLASS, int32(tos))
}

// ecn are the bits of a type of service that tell of congestion (RFC 3168).
const ecn = 3

// tosOf reads the type of service of an IP header, without ECN's bits; 0 of what is
// none.
func tosOf(header []byte) uint8 {
	if len(header) < 2 {
		return 0
	}
	switch header[0] >> 4 {
	case 4:
		return header[1] &^ ecn
	case 6:
		return (header[0]<<4 | header[1]>>4) &^ ecn
	}
	return 0
}
