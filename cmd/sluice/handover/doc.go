// Package handover lets a sluice that starts follow one that runs, without a
// moment in which nobody serves. Both have the same listening sockets for a
// while, with what waits in their queues; nothing is split, and no connection
// that is half open is reset.
//
//	incumbent                                      successor
//	─────────                                      ─────────
//	Door: listens at @sluice-tcp-[::]:12345
//	                    ◄── connect, hello ──      Find
//	hello, sockets (fds), ... end ──►
//	                    ◄── taken, each batch ──   Take: opens what else it needs
//	                    ◄── serving ──             Serving
//	lets go of the rules; left ──►                 puts its own in place, serves
//	                    ◄── ready ──               Ready
//	accepts nothing more; yielded ──►
//	drains, ends                                   opens the door
//
// Until ready, the incumbent goes on: a successor that says no, ends or is
// silent for too long has changed nothing, and the rules are the incumbent's
// again.
//
// Beside it, listeners that share their ports by SO_REUSEPORT would do for UDP.
// For TCP they lose: a connection that is half open, or waits to be accepted,
// belongs to one listener, and is reset when that is closed (unless
// net.ipv4.tcp_migrate_req is set, Linux 5.14).
//
// Glossary:
//
//   - incumbent: the sluice that runs. successor: the one that is to follow.
//   - place: a network and an address where a sluice listens. Who has one in
//     common serves the same traffic.
//   - door: where successors knock, for each place an abstract unix socket
//     (unix(7)) of type SOCK_SEQPACKET. Such names belong to the network
//     namespace, as ports do. It is handed over with the rest, so that nobody
//     can take the name in between.
//   - message: one packet: a type and what belongs to it, as JSON, with sockets
//     beside it (SCM_RIGHTS) where the type has any. A type that is unknown ends
//     the hand-over; what each side knows is the version in hello.
//   - peer: who is at the other end, by the kernel's word (SO_PEERCRED).
package handover
