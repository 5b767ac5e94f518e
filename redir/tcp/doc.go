// Package tcp carries diverted TCP connections: one Worker on each reactor.
//
//	listener ── accept ──► start: destination, admission ──► [await] ──► [sniff] ──► dial ──► [greet] ──► relay ──► close
//	                          │                                                       │                    │
//	                          └─ refused: RST                                failed: RST                   ├─ a side failed: linger, then RST
//	                                                                                                       └─ a limit has passed: RST
//
//	accept   takes connections from the kernel's queue, a share at a time
//	clients  holds a conn and its dial against the bounds of its client
//	pressure tells who may open how fast while a listener is behind
//	await    reads the PROXY header that a front begins with
//	sniff    looks for a name in the client's first bytes, where the way depends on it
//	source   whose address and port the upstream bears
//	tos      which type of service both ends have
//	dial     decides where one goes and opens its upstream
//	proxy    says the PROXY header to destinations that want one
//	server   dials the server of an outbound, or takes the fallback
//	greet    has the server carry a conn
//	forward  finds where a forward leads, and goes on with its next address
//	rest     holds a conn to its client's rate
//	relay    moves bytes, by splice.Relay, from edge to edge; those that move much
//	         of late wait until the turn has served all others
//	together gathers the conns that have an edge in a turn, where their calls can be
//	         made together
//	guard    watches a conn that has lived for a while for peers that vanish
//	linger   waits until what a failed side had sent is delivered
//	limit    how long each state may last
//	scarce   what gives way for a client that waits, where something has run out
//	stall    what conns may hold while memory is tight
//	close    ends a conn, and gives back what it held
//
// Glossary:
//
//   - conn: a TCP connection and its upstream, from accept to close.
//   - end: one of a conn's two sockets.
//   - listener: one worker's socket of an inbound.
//   - front: a peer that begins its connections with a PROXY header, which says
//     who the client is.
//   - server: a proxy that carries a conn, as its outbound names it.
//   - spare: a socket that the next connection's upstream will be.
//   - give way: to be ended for the sake of others; see scarce_linux.go for the
//     order.
//   - resting: of a side of a conn, that it has something to say which its client's
//     rate does not allow yet.
//   - stalled: of a conn, that bytes of one side wait for room at the other.
//   - frozen: of a conn, that its sockets' buffers grow no more.
//   - limit: the time that a conn's timer is armed for.
//   - worker: what one reactor owns of TCP; Shared is what all see.
package tcp
