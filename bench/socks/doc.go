// Package socks is a SOCKS5 server (RFC 1928) for comparisons of its clients: as
// little as possible of what is measured is to be its own cost.
//
//	client ──► listener ─ greeting ─ request ─┬─ CONNECT ───► destination
//	                                          └─ ASSOCIATE ─► near socket ─ far sockets ──► destinations
//	client ──► relay's listener ──────────────────────────► the one destination
//
// Each worker is an OS thread with listeners, an epoll instance and buffers of its
// own. Bytes are copied through one buffer until a direction has filled it a few
// times, and spliced from then on; datagrams go in batches and runs (package dgram).
//
// It can take the place of web servers, whose cost is then not measured either.
//
// It serves whoever comes: no authentication, no names, no BIND. Where a client
// sends greeting and request at once, both are answered at once.
//
// # Glossary
//
//   - relay: a port without a greeting, which leads to one destination: what the
//     way through the server costs, without SOCKS5.
//   - pair: a client's connection and the one to its destination.
//   - association: a client's UDP, alive as long as its TCP connection; the near
//     socket is the client's, far ones are the destinations'.
package socks
