// Package prefix holds sets of addresses, given as CIDR prefixes: built once,
// then asked in nanoseconds, also with a million prefixes of either family.
//
//	prefixes ──► Builder ──► ranges, sorted and merged ──► edges ──► Set
//
//	   outside       inside       outside     inside      outside
//	─────────────┤━━━━━━━━━━━━├────────────┤━━━━━━━━━━├─────────────► addresses
//	          edge 0       edge 1       edge 2     edge 3
//
// An address is inside if the last edge that does not lie behind it has an even
// number. An index finds that edge by where it would be if edges were spread
// evenly: a node's slots share its addresses out, and a slot into which many edges
// crowd has a node of its own. So a cold lookup waits for memory two or three
// times: for a slot, for the edges, and where they are crowded for a node.
//
// Glossary:
//
//   - range: addresses from low to high, both of them in it.
//   - edge: the first address of a range, or the first one behind it.
//   - key: an edge of IPv4, or the upper half of one of IPv6.
//   - slot: as many numbers as the others of its node; knows the first key among
//     them, or a node.
package prefix
