package rules

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"net/netip"
	"sort"
)

// Addrs is a set of addresses of both families, however many. It never changes.
type Addrs struct {
	v4, v6 spans
	sum    string // a digest, which stands for the set where specs are compared
}

// NewAddrs makes a set of inclusive ranges, low before high, in any order. Those
// that touch or overlap become one.
func NewAddrs(ranges iter.Seq2[netip.Addr, netip.Addr]) *Addrs {
	a := &Addrs{v4: spans{size: 4}, v6: spans{size: 16}}
	for low, high := range ranges {
		into := &a.v6
		if low.Is4() {
			into = &a.v4
		}
		into.keys = append(append(into.keys, low.AsSlice()...), high.AsSlice()...)
	}
	a.v4.merge()
	a.v6.merge()
	sum := sha256.New()
	fmt.Fprintln(sum, len(a.v4.keys))
	sum.Write(a.v4.keys)
	sum.Write(a.v6.keys)
	a.sum = hex.EncodeToString(sum.Sum(nil))
	return a
}

// MarshalText is the digest.
func (a *Addrs) MarshalText() ([]byte, error) { return []byte(a.sum), nil }

// of are the ranges of a family.
func (a *Addrs) of(family byte) spans {
	if family == familyIPv6 {
		return a.v6
	}
	return a.v4
}

// spans are inclusive ranges of keys of size bytes: the first and the last of
// each, one range behind the other, since there may be a million.
type spans struct {
	size int
	keys []byte
}

// Len is the number of ranges.
func (s spans) Len() int { return len(s.keys) / max(2*s.size, 1) }

// Less orders them by their first keys.
func (s spans) Less(i, j int) bool {
	a, _ := s.at(i)
	b, _ := s.at(j)
	return bytes.Compare(a, b) < 0
}

// Swap swaps two.
func (s spans) Swap(i, j int) {
	var kept [32]byte
	a, b := s.pair(i), s.pair(j)
	copy(kept[:], a)
	copy(a, b)
	copy(b, kept[:])
}

func (s spans) pair(i int) []byte { return s.keys[2*s.size*i : 2*s.size*(i+1)] }

// at is a range's first and last key.
func (s spans) at(i int) (first, last []byte) {
	pair := s.pair(i)
	return pair[:s.size], pair[s.size:]
}

// merge puts them in order, and makes one of those that touch or overlap.
func (s *spans) merge() {
	if !sort.IsSorted(*s) {
		sort.Sort(*s)
	}
	kept := 0
	for i := range s.Len() {
		first, last := s.at(i)
		if kept > 0 {
			_, end := s.at(kept - 1)
			if next, more := after(end); !more || bytes.Compare(first, next) <= 0 {
				if bytes.Compare(last, end) > 0 {
					copy(end, last)
				}
				continue
			}
		}
		copy(s.pair(kept), s.pair(i))
		kept++
	}
	s.keys = s.keys[:2*s.size*kept]
}

// text is a range as nft writes it, a network where it is one.
func (s spans) text(i int) string {
	first, last := s.at(i)
	low, _ := netip.AddrFromSlice(first)
	high, _ := netip.AddrFromSlice(last)
	bits := 0
	for bits < 8*s.size && (first[bits/8]^last[bits/8])&(0x80>>(bits%8)) == 0 {
		bits++
	}
	prefix := netip.PrefixFrom(low, bits)
	switch {
	case low == high:
		return low.String()
	case prefix.Masked() == prefix && bytes.Equal(prefixElement(prefix).last, last):
		return prefix.String()
	}
	return low.String() + "-" + high.String()
}

// after is the key that follows, where the kernel's interval ends. The last
// key of all has none: its interval is left open.
func after(key []byte) ([]byte, bool) {
	next := bytes.Clone(key)
	for i := len(next) - 1; i >= 0; i-- {
		next[i]++
		if next[i] != 0 {
			return next, true
		}
	}
	return nil, false
}
