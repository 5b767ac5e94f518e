package prefix

import "net/netip"

// address is a number of one family's.
type address[A any] interface {
	comparable
	before(A) uint64
	next() A
	previous() A
	last(length int) A
	addr() netip.Addr
}
