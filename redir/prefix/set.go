package prefix

import "net/netip"

// Set is some addresses of both families. It is never changed, so that any number
// of goroutines may ask at once. A nil one is empty.
type Set struct {
	ipv4 index[addr4] // the edges
	ipv6 edges6
}

// Contains reports whether the address is in the set. An IPv4 address must be
// unmapped; a zone counts for nothing. It does not allocate.
func (s *Set) Contains(a netip.Addr) bool {
	switch {
	case s == nil:
		return false
	case a.Is4():
		return inside(s.ipv4.at(addr4Of(a)))
	}
	return inside(s.ipv6.at(addr6Of(a)))
}

// inside tells whether a range begins with the edge of this number.
func inside(edge int) bool { return edge&1 == 0 }

// Len is how many ranges there are: as many as the prefixes of which the set was
// built, fewer where these overlap or touch.
func (s *Set) Len() int {
	if s == nil {
		return 0
	}
	return (len(s.ipv4.keys)+1)/2 + (s.ipv6.len()+1)/2
}

// Ranges calls yield for each range, IPv4 before IPv6, in the order of their
// addresses, until it returns false. Ranges neither overlap nor touch.
func (s *Set) Ranges(yield func(low, high netip.Addr) bool) {
	if s == nil {
		return
	}
	for r := range spansOf(s.ipv4.keys) {
		if !yield(r.low.addr(), r.high.addr()) {
			return
		}
	}
	for r := range spansOf(s.ipv6.all()) {
		if !yield(r.low.addr(), r.high.addr()) {
			return
		}
	}
}

// Covers reports whether each address of other is in s.
func (s *Set) Covers(other *Set) bool {
	if s == nil || other == nil {
		return other.Len() == 0
	}
	for r := range spansOf(other.ipv4.keys) {
		if low := s.ipv4.at(r.low); !inside(low) || low != s.ipv4.at(r.high) {
			return false
		}
	}
	for r := range spansOf(other.ipv6.all()) {
		if low := s.ipv6.at(r.low); !inside(low) || low != s.ipv6.at(r.high) {
			return false
		}
	}
	return true
}
