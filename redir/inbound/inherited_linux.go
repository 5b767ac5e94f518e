package inbound

import (
	"golang.org/x/sys/unix"

	"sluice/redir/socket"
)

// Inherit takes over fds, of which it keeps what an inbound could have opened:
// what a socket is, the kernel says and not who sent it. The others are closed.
func Inherit(fds []int) *Inherited {
	h := &Inherited{}
	for _, fd := range fds {
		network, addr, ok := socket.IsListener(fd)
		if !ok {
			unix.Close(fd)
			continue
		}
		h.sockets = append(h.sockets, inheritedSocket{network, addr, fd})
	}
	return h
}

// Close closes what nobody has taken.
func (h *Inherited) Close() {
	if h == nil {
		return
	}
	for _, s := range h.sockets {
		unix.Close(s.fd)
	}
	h.sockets = nil
}
