// Package admit decides whether a flow may be: never to sluice's own
// listeners, nor to what is no host's address, nor, unless that is allowed, to
// one of the gateway's own.
//
//	kernel's local table ──Watch──► own addresses ─┐
//	inbounds ──SetListeners──► listeners ──────────┼─► Admission.Check(dest) ──► 0, or the cause
//	AllowLocal ────────────────────────────────────┘
//
// A Self knows the clients that are sluice's own upstream sockets, whose packets
// somebody's rules have diverted again.
//
// All workers share one Admission and ask it without a lock: what it knows are
// immutable sets, replaced whole.
//
// Glossary:
//
//   - dest: where a diverted flow was going, unmapped.
//   - own address: one that the kernel delivers locally, by an interface or by
//     a local route of the operator's (AnyIP).
//   - refusal: the counter that says why a flow may not be.
package admit
