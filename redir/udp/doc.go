// Package udp carries diverted UDP sessions: one Worker on each reactor.
//
//	listener ─► toUpstream.slots ─┬► groups, one per flow ──┬─► flow.fd ─────────► remote
//	                              │                         └─► relay ─► server ─► remote
//	                              └► outlet, one per client port ────────────────► remote
//	client ◄─ write-back, one per port ◄─ toClient.slots ◄─┬─── flow.fd ◄───────── remote
//	                                                       ├─── relay ◄─ server ◄─ remote
//	                                                       └─── return listener ◄─ remote
//
// Both directions gather over the turn, and send when its slots are full or it
// ends. Outlet and return listener serve the flows that bear their client's
// address, which have no socket: the return listeners are bound to documentation
// addresses (inbound.Return4), and the rules hand them what is for such a client.
//
//	listen       receives a batch, admits each datagram, finds or opens its flow
//	route        asks the rules which way a flow takes, and refuses what is blocked
//	police       drops what is beyond a client's rate
//	to_upstream  groups what clients sent by flow, and sends it
//	preface      puts a PROXY header before what is sent, where remotes want one
//	to_client    groups what remotes wrote by write-back socket, and sends it
//	outlet       flows that bear their client's address: opens them, sends for them
//	returns      receives what remotes write to such clients
//	hold         keeps what begins a session until its name is known, where the way
//	             depends on it
//	flow         opens a session, within the bounds of its client
//	trait        tells the flows of one client apart by their ways
//	associate    what a flow has at a SOCKS5 server that relays it
//	ask          connects with that, and asks it for a relay
//	fail         what becomes of a flow that gets none: another way, or a pause
//	waiting      keeps what a client writes meanwhile
//	relay        sends and receives by it, with a header before each datagram
//	view         how a flow's remotes look to its client: of a forward, of a mapped port
//	gate         bounds the sessions that are opened while a listener is behind
//	echo         damps two services that answer each other
//	spare        keeps sockets of sessions that have ended for others
//	timeout      how long one may be idle: a lookup less
//	end          ends one: evicted, or idle for its timeout
//	sender       a pool of sockets that send as anybody: write-backs, and outlets;
//	             raw, where a service has the port, and where fragments must be made
//	icmp         passes on what the network says of upstream datagrams
//	toobig       hears of packets that are too big for a way, and tells the client
//	narrow       remembers the ways by which datagrams must be cut
//
// Any worker may find a flow in the table, which all share, and send on its
// socket. Its owner, the worker that opened it, receives from it and closes it,
// when no worker can be using it any more (loop.Reactor.Retire). A flow without a
// socket is a place in a table of its own, and any worker's to end.
//
// Which way a flow takes is decided by its first datagram, and holds for all that
// follow to where that went. The outbound is part of a flow's key, so one client
// port has one mapping for each outbound; where names decide, one for each
// destination.
//
// Whether a flow bears its client's address is decided by its first datagram, and
// holds for all that follow: one client port has one mapping. Towards a remote on
// the client's own link, that remote then answers the client directly.
//
// Glossary:
//
//   - flow: a UDP session: one client address and port, and one upstream port
//     for all its destinations (endpoint-independent mapping, RFC 4787 section
//     4.1).
//   - way: an inbound, a rule and an outbound (package outbound).
//   - server: a SOCKS5 proxy that relays a flow's datagrams.
//   - association: what a flow has there: a connection, and the relay that lives as
//     long as it.
//   - relay: where datagrams for the server go; and the socket towards there.
//   - remote: who a client writes to, or who writes to a flow's port.
//   - spare: a socket without a port, which a session has left to others of its way.
//   - write-back: sending a reply to the client with the remote's address as
//     its source, from a transparent socket that many flows share.
//   - outlet: the same the other way: the socket that datagrams of all clients
//     with one port leave from, each with its client's address as its source.
//   - sender: a write-back socket or an outlet.
//   - sourced: of a flow, that it bears its client's address.
//   - slot: a place in a batch; it holds one message, a datagram or a run.
//   - group: the slots of one flow that leave by one system call.
//   - ending: of a flow, that it has left the table, while its socket is open.
//   - police: to drop what is beyond a client's rate.
//   - drop: a datagram lost inside sluice, counted by cause.
//   - worker: what one reactor owns of UDP; Shared is what all see.
package udp
