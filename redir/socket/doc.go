// Package socket makes and asks the sockets that carry diverted traffic: what
// the kernel is told of them and what it tells, call by call. It decides
// nothing.
//
//	listen     a listener, transparent or not, on a port that is probed first
//	options    what is set on sockets
//	keepalive  how a peer that vanishes is noticed
//	tos        what colour a connection came in, and what it sends
//	original   where conntrack says that a connection was going
//	state      what became of a socket: errors, unread bytes, resets
//	holder     which process has a port
//	diag       which mark the socket at two addresses has
//	endpoint   an address and port that takes little room
//
// Glossary:
//
//   - family: AF_INET or AF_INET6, by the address. Sockets of AF_INET6 carry
//     IPv6 alone (IPV6_V6ONLY).
//   - transparent: allowed to have an address that the machine does not (ip(7)
//     IP_TRANSPARENT).
//   - original destination: where a connection was going before REDIRECT
//     rewrote it.
//   - raw call: a system call that goes to the kernel without telling the Go
//     scheduler, since it cannot block.
package socket
