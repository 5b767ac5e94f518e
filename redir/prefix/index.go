package prefix

import (
	"math/bits"
	"slices"
)

const (
	// perSlot is how many keys a slot is to have in the mean: few enough that
	// looking through them costs less than the wait for the first.
	perSlot = 8
	// mostInSlot is how many keys a slot has without a node of its own.
	mostInSlot = 32
	// isNode marks a slot that names a node.
	isNode = 1 << 31
)

// index finds among sorted keys, none of which comes twice, by where they would
// be if they were spread evenly; where they are not, by a further node for those
// that crowd.
type index[K ~uint32 | ~uint64] struct {
	keys  []K
	nodes []node[K] // the first is where a lookup begins
	slots []uint32  // of a key: the first one in the slot; or isNode and its number
}

// node splits its keys into slots of 1<<shift numbers each. Behind the last slot
// is one for what is greater.
type node[K ~uint32 | ~uint64] struct {
	low   K      // the least key
	first uint32 // its number
	slot  uint32 // the first slot
	last  uint32 // the slot for what is greater, from the first
	shift uint8
}

func newIndex[K ~uint32 | ~uint64](keys []K) index[K] {
	x := index[K]{keys: keys}
	if len(keys) > 0 {
		x.split(0, len(keys))
	}
	x.nodes, x.slots = slices.Clip(x.nodes), slices.Clip(x.slots)
	return x
}

// split makes a node of the keys from first to end, and of those that crowd in one
// of its slots. It returns the node's number.
func (x *index[K]) split(first, end int) uint32 {
	low := x.keys[first]
	span := x.keys[end-1] - low
	shift := max(0, bits.Len64(uint64(span))-bits.Len(uint(end-first)/perSlot))
	n := node[K]{low: low, first: uint32(first), slot: uint32(len(x.slots)), last: uint32(span>>shift) + 1, shift: uint8(shift)}
	number := uint32(len(x.nodes))
	x.nodes = append(x.nodes, n)
	x.slots = append(x.slots, make([]uint32, n.last+1)...)
	for i := range n.last {
		begin := first
		for first < end && uint32((x.keys[first]-low)>>shift) == i {
			first++
		}
		holds := uint32(begin)
		if first-begin > mostInSlot {
			holds = isNode | x.split(begin, first)
		}
		x.slots[n.slot+i] = holds
	}
	x.slots[n.slot+n.last] = uint32(end)
	return number
}

// at is the number of the greatest key that is not greater than k, -1 if all are.
func (x *index[K]) at(k K) int {
	if len(x.nodes) == 0 {
		return -1
	}
	holds := uint32(isNode)
	for holds&isNode != 0 {
		n := &x.nodes[holds&^isNode]
		if k < n.low {
			return int(n.first) - 1
		}
		holds = x.slots[n.slot+uint32(min((k-n.low)>>n.shift, K(n.last)))]
	}
	i := int(holds)
	for i < len(x.keys) && x.keys[i] <= k {
		i++
	}
	return i - 1
}
