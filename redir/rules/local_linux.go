package rules

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// IsLocal tells whether the kernel delivers packets to addr here by itself, as to
// the gateway's own addresses. Where it cannot say, it does not.
func IsLocal(addr netip.Addr) bool {
	family := unix.AF_INET
	if addr = addr.Unmap(); addr.Is6() {
		family = unix.AF_INET6
	}
	answer, err := approach{}.ask(family, addr, 0)
	return err == nil && answer.kind == unix.RTN_LOCAL
}
