package socket

import "golang.org/x/sys/unix"

// Holds tells whether one of this process' descriptors, up to highest, is the
// socket that the cookie belongs to, and which. It costs a system call for each.
func Holds(cookie uint64, highest int) (fd int, ok bool) {
	for fd := range highest + 1 {
		if own, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE); err == nil && own == cookie {
			return fd, true
		}
	}
	return -1, false
}
