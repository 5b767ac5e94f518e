// Package redir takes what netfilter diverts and carries it to where it was
// going.
//
//	            REDIRECT, TPROXY                       marked, to the destination
//	client ────────────────────► listener ─► admission ─► upstream ──────────► server
//	                                │   worker: one per reactor  │
//	        TCP: conn    client fd ─┴──── splice.Relay ──────────┴─ upstream fd
//	        UDP: flow    nat.Table, keyed by client ─► upstream fd ─► write-back
//
// Glossary:
//
//   - client: who sent the diverted packet. dest: where it was going, the
//     original destination. upstream: sluice's own socket towards dest.
//   - inbound: what one --redirect or --tproxy names; it has a listener for
//     each reactor, family and network.
//   - conn: a TCP connection and its upstream. flow: a UDP session: one client
//     address and port, and one upstream port for all its destinations
//     (endpoint-independent mapping, RFC 4787 section 4.1).
//   - worker: what one reactor owns: its listeners, conns, flows, buffers,
//     pipes, write-back sockets and counters. Workers share the NAT table, the
//     budget of fds and the set of the gateway's own addresses.
//   - write-back: sending a reply to the client with the remote's address as
//     its source, from a transparent socket that many flows share.
//   - refusal: a conn or datagram that admission turns away. drop: a datagram
//     lost inside sluice. Both are counted by cause.
package redir
