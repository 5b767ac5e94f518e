package admit

import (
	"net/netip"
	"slices"
)

// MayBear reports whether a socket towards dest may bear the client's address. No
// socket can of another family. Replies would not come back here where the client
// is the gateway itself or link-local, nor where client and dest are neighbours on
// one link, since dest then answers the client directly. Both are unmapped.
func (a *Admission) MayBear(client, dest netip.Addr) bool {
	own := a.own.Load()
	switch {
	case client.Is4() != dest.Is4() || client.IsLinkLocalUnicast() || client.IsLoopback() || own.has(client):
		return false
	case own.has(dest):
		return true
	}
	return !a.links.Load().join(client, dest)
}

// SetBearing tells whether any socket bears clients' addresses, for whose sake
// alone a Watch follows links.
func (a *Admission) SetBearing(bearing bool) { a.bearing.Store(bearing) }

// links are what each routing table says of the machine's links.
type links struct{ tables map[int]*linkTable }

// linkTable is the part of a routing table that tells neighbours apart from hosts
// behind a router: the prefixes of links, and what is routed elsewhere of them.
type linkTable struct {
	bits4, bits6 []int                // lengths that there are, the longest first
	links        map[netip.Prefix]int // the link's interface; 0: elsewhere
}

// add notes that a table leads a prefix to an interface without a router between,
// or, where that is 0, elsewhere.
func (l *links) add(table int, p netip.Prefix, iface int) {
	if l.tables == nil {
		l.tables = map[int]*linkTable{}
	}
	t := l.tables[table]
	if t == nil {
		t = &linkTable{links: map[netip.Prefix]int{}}
		l.tables[table] = t
	}
	bits := &t.bits6
	if p.Addr().Is4() {
		bits = &t.bits4
	}
	if !slices.Contains(*bits, p.Bits()) {
		*bits = append(*bits, p.Bits())
		slices.SortFunc(*bits, func(a, b int) int { return b - a })
	}
	if t.links[p] == 0 {
		t.links[p] = iface
	}
}

// hold reports whether a prefix is part of a link in the table.
func (l *links) hold(table int, p netip.Prefix) bool {
	t := l.tables[table]
	if t == nil {
		return false
	}
	for link, iface := range t.links {
		if iface != 0 && link.Bits() < p.Bits() && link.Contains(p.Addr()) {
			return true
		}
	}
	return false
}

// join reports whether both addresses are on one link.
func (l *links) join(a, b netip.Addr) bool {
	for _, t := range l.tables {
		if p, ok := t.of(b); ok && p.Contains(a) {
			if q, ok := t.of(a); ok && p == q {
				return true
			}
		}
	}
	return false
}

// of is the link that an address is on.
func (t *linkTable) of(a netip.Addr) (link netip.Prefix, ok bool) {
	all := t.bits6
	if a.Is4() {
		all = t.bits4
	}
	for _, bits := range all {
		p, err := a.Prefix(bits)
		if err != nil {
			return netip.Prefix{}, false
		}
		if iface, found := t.links[p]; found {
			return p, iface != 0
		}
	}
	return netip.Prefix{}, false
}
