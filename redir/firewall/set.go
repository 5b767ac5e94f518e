package firewall

import (
	"bytes"
	"slices"
)

// mostElements bounds how many elements of a set are kept: a set of more is
// known in part.
const mostElements = 1 << 16

// set is a set or a map. Its elements are intervals, in order.
type set struct {
	name              string
	keyLen            int
	interval, dynamic bool // dynamic: rules add to it
	verdicts          bool // a verdict map
	partial           bool
	elements          []element
}

// element is an interval of keys, both ends inclusive, and what it maps to. A
// catch-all has no keys.
type element struct {
	lo, hi  []byte
	isEnd   bool
	verdict verdict
	data    []byte
}

func (s *set) add(data []byte) {
	if len(s.elements) >= mostElements {
		s.partial = true
		return
	}
	flags := number(data, attrElementFlags)
	value := find(data, attrElementData)
	e := element{
		lo: s.key(data, attrElementKey), hi: s.key(data, attrElementKeyEnd), isEnd: flags&flagElementEnd != 0,
		verdict: readVerdict(find(value, attrDataVerdict)), data: find(value, attrDataValue),
	}
	if flags&flagElementCatch != 0 {
		e.lo, e.hi = nil, nil
	} else if e.lo == nil {
		return
	}
	s.elements = append(s.elements, e)
}

// key is one of the set's length, or nil.
func (s *set) key(data []byte, kind uint16) []byte {
	key := find(find(data, kind), attrDataValue)
	if len(key) != s.keyLen || len(key) == 0 {
		return nil
	}
	return key
}

// finish makes intervals of the ends that the dump has in any order. Those of
// concatenations have both ends already.
func (s *set) finish() {
	slices.SortStableFunc(s.elements, func(a, b element) int {
		if a.lo == nil || b.lo == nil { // a catch-all is last
			return len(b.lo) - len(a.lo)
		}
		if c := bytes.Compare(a.lo, b.lo); c != 0 || a.isEnd == b.isEnd {
			return c
		}
		if a.isEnd {
			return -1
		}
		return 1
	})
	var whole []element
	for i, e := range s.elements {
		if e.isEnd {
			continue
		}
		if e.hi == nil && e.lo != nil {
			e.hi = e.lo
			if s.interval {
				e.hi = bytes.Repeat([]byte{0xff}, len(e.lo)) // the last one may have no end
				if i+1 < len(s.elements) && s.elements[i+1].lo != nil && len(s.elements[i+1].lo) == len(e.lo) {
					e.hi = before(s.elements[i+1].lo)
				}
			}
		}
		whole = append(whole, e)
	}
	s.elements = whole
}

// before is the key that precedes; there is one before any but 0.
func before(key []byte) []byte {
	key = slices.Clone(key)
	for i := len(key) - 1; i >= 0; i-- {
		key[i]--
		if key[i] != 0xff {
			break
		}
	}
	return key
}
