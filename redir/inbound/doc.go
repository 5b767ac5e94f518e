// Package inbound is where traffic arrives: what an operator asks to
// listen on, and the sockets that come of it.
//
//	Spec ── New ──► Inbound ── Open ──► sockets: for each worker, network and family one,
//	                   │                   │      and one for replies to clients' own addresses
//	                   │                   │
//	                   │                   └── Hand ──► a worker, which owns them from then on
//	                   └── Dest: where a connection that came by it was going
//
// Glossary:
//
//   - inbound: what one --redirect, --tproxy or --forward names.
//   - kind: how traffic gets to it: netfilter hands it over by REDIRECT or TPROXY,
//     or it is sent to the inbound itself (direct).
//   - forward: a direct inbound, as an operator calls it.
//   - foreign: of an address, that the machine does not have it.
//   - network: TCP or UDP; SOCK_STREAM or SOCK_DGRAM.
//   - worker: what one reactor owns; here just its index.
package inbound
