// Package neighbour knows the MAC addresses of hosts on the gateway's links, as the
// kernel's neighbour tables have them (ARP, neighbour discovery).
//
//	rtnetlink: dump, then RTM_NEWNEIGH, RTM_DELNEIGH ──► one goroutine ──► a map that
//	                                                                       does not change
//	                                      MAC(addr), on any thread ◄───────────┘
//
// A change makes a new map. Most messages change nothing (an entry that grows stale,
// or is confirmed), so that maps are made seldom. When messages were lost, the table
// is read again.
//
// Glossary:
//
//   - neighbour: a host that is reached without a router between.
//   - entry: a link, an address on it, and the MAC address that answers for it.
package neighbour
