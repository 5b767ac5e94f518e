package nat

import (
	"math/bits"
	"math/rand/v2"
)

// seed makes a table's hash its own, so that nobody outside can choose clients
// that collide.
type seed [4]uint64

// newSeed draws from the runtime's ChaCha8 generator, which the system seeds.
func newSeed() seed {
	return seed{rand.Uint64(), rand.Uint64(), rand.Uint64(), rand.Uint64()}
}

// hash returns 64 well-mixed bits of a key: address and the rest are folded
// with secrets each, then with each other. Without the last fold, the ports of
// one client could, with an unlucky seed, share a few values. A hash takes 2 ns
// where [hash/maphash.Comparable] takes 10.
func (s *seed) hash(k Key) uint64 {
	rest := uint64(k.scope)<<32 | uint64(k.port)<<16 | uint64(k.inbound)
	return fold(fold(k.hi^s[0], k.lo^s[1])^s[2], fold(rest^s[2], s[3])^s[0])
}

// address returns bits of a key's address alone, as well mixed.
func (s *seed) address(k Key) uint64 {
	return fold(fold(k.hi^s[0], k.lo^s[1])^s[3], s[1])
}

// fold multiplies to 128 bits and folds them to 64, as wyhash does and, on
// machines without AES instructions, Go's own maps.
func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}
