package neighbour

import (
	"maps"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// place is where an entry stands.
type place struct {
	link int
	addr netip.Addr
}

// entries are those that have a MAC address.
type entries map[place][6]byte

// answered are the states of an entry whose MAC address was told by the neighbour,
// or by an operator (NUD_VALID in include/net/neighbour.h, but for NUD_NOARP, whose
// hosts have none).
const answered = unix.NUD_PERMANENT | unix.NUD_REACHABLE | unix.NUD_PROBE | unix.NUD_STALE | unix.NUD_DELAY

// take takes in a message about an entry, and reports whether it says something new.
func (e entries) take(n *netlink.Neigh, message uint16) bool {
	addr, ok := netip.AddrFromSlice(n.IP)
	if !ok || n.Family != netlink.FAMILY_V4 && n.Family != netlink.FAMILY_V6 || n.Flags&netlink.NTF_PROXY != 0 {
		return false
	}
	at := place{n.LinkIndex, addr.Unmap()}
	before, had := e[at]
	if message == unix.RTM_DELNEIGH || n.State&answered == 0 || len(n.HardwareAddr) != len(before) {
		delete(e, at)
		return had
	}
	e[at] = [6]byte(n.HardwareAddr)
	return !had || e[at] != before
}

// known are the addresses of which one MAC address is known.
func (e entries) known() map[netip.Addr][6]byte {
	known := make(map[netip.Addr][6]byte, len(e))
	doubtful := map[netip.Addr]bool{}
	for at, mac := range e {
		if other, ok := known[at.addr]; ok && other != mac {
			doubtful[at.addr] = true
		}
		known[at.addr] = mac
	}
	maps.DeleteFunc(known, func(addr netip.Addr, _ [6]byte) bool { return doubtful[addr] })
	return known
}
