// Package udp carries diverted UDP sessions: one Worker on each reactor.
//
//	listener ─► toUpstream.slots ─► groups, one per flow ─────► flow.fd ─► remote
//	client ◄─ write-back, one per port ◄─ toClient.slots ◄───── flow.fd ◄─ remote
//
// Both directions gather over the turn, and send when its slots are full or it
// ends.
//
//	listen       receives a batch, admits each datagram, finds or opens its flow
//	to_upstream  groups what clients sent by flow, and sends it
//	to_client    groups what remotes wrote by write-back socket, and sends it
//	flow         opens a session, within the bounds of its client
//	view         how a flow's remotes look to its client: of a forward, of a mapped port
//	gate         bounds the sessions that are opened while a listener is behind
//	echo         damps two services that answer each other
//	timeout      how long one may be idle: a lookup less
//	end          ends one: evicted, or idle for its timeout
//	writeback    the sockets that replies leave from
//	icmp         passes on what the network says of upstream datagrams
//	narrow       remembers clients whose replies must be cut
//
// Any worker may find a flow in the table, which all share, and send on its
// socket. Its owner, the worker that opened it, receives from it and closes it,
// when no worker can be using it any more (loop.Reactor.Retire).
//
// Glossary:
//
//   - flow: a UDP session: one client address and port, and one upstream port
//     for all its destinations (endpoint-independent mapping, RFC 4787 section
//     4.1).
//   - remote: who a client writes to, or who writes to a flow's port.
//   - write-back: sending a reply to the client with the remote's address as
//     its source, from a transparent socket that many flows share.
//   - slot: a place in a batch; it holds one message, a datagram or a run.
//   - group: the slots of one flow that leave by one system call.
//   - ending: of a flow, that it has left the table, while its socket is open.
//   - drop: a datagram lost inside sluice, counted by cause.
//   - worker: what one reactor owns of UDP; Shared is what all see.
package udp
