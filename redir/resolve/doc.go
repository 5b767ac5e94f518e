// Package resolve keeps the addresses to which forwards lead, by name or as they
// are, so that whoever dials finds them without a wait.
//
//	Target ── Resolver.Dests ──► Dests ◄── For, After ── who dials, on any thread
//	                               ▲  │
//	   a goroutine for each name ──┘  └── Failed: this address did not answer
//	     asks at the start, by Refresh, and after a failure
//
// A name's list is never changed, but replaced as a whole. An address that
// failed is the last of it for a while, so that not everybody finds out again. A
// name that cannot be resolved keeps the addresses that it had.
//
// Glossary:
//
//   - target: a host, by name or address, and a port, as an operator writes it.
//   - name: a host that is no address.
//   - lookup: one question of a resolver of the system's for a name.
package resolve
