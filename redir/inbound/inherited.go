package inbound

import "net/netip"

// Inherited is the sockets of another process that this one follows, with what
// waits in their queues. Open takes those of its addresses, and the rest is
// closed; a nil one has none. It belongs to whoever opens inbounds.
type Inherited struct {
	sockets []inheritedSocket
}

// inheritedSocket is bound, and listens if it is SOCK_STREAM.
type inheritedSocket struct {
	network int // SOCK_STREAM or SOCK_DGRAM
	addr    netip.AddrPort
	fd      int
}

// Len is how many sockets nobody has taken yet.
func (h *Inherited) Len() int {
	if h == nil {
		return 0
	}
	return len(h.sockets)
}

// take returns the sockets of a network and address, which are the caller's from
// then on.
func (h *Inherited) take(network int, addr netip.AddrPort) (fds []int) {
	if h == nil {
		return nil
	}
	kept := h.sockets[:0]
	for _, s := range h.sockets {
		if s.network == network && s.addr == addr {
			fds = append(fds, s.fd)
		} else {
			kept = append(kept, s)
		}
	}
	h.sockets = kept
	return fds
}

// holds tells whether a socket that nobody has taken yet has the port.
func (h *Inherited) holds(network int, port uint16) bool {
	if h == nil {
		return false
	}
	for _, s := range h.sockets {
		if s.network == network && s.addr.Port() == port {
			return true
		}
	}
	return false
}
