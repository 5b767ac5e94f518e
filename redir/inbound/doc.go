// Package inbound is where diverted traffic arrives: what an operator asks to
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
//   - inbound: what one --redirect or --tproxy names.
//   - kind: how netfilter hands traffic to it, REDIRECT or TPROXY.
//   - network: TCP or UDP; SOCK_STREAM or SOCK_DGRAM.
//   - worker: what one reactor owns; here just its index.
package inbound
