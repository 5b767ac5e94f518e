// Package icmp writes and reads the ICMP errors that a proxy has to pass on,
// as bytes: what a router says of a datagram that sluice sent, put into the
// words in which the client's kernel understands it.
//
//	            remote or router                         client
//	                   │ error about sluice's datagram      ▲
//	                   ▼                                    │ Append: the same error, about the client's
//	upstream socket's error queue (ip(7) IP_RECVERR) ───────┘
//
//	raw socket ──► ParseTooBig: a datagram was too big for the way that it went
//
// Glossary:
//
//   - error: destination unreachable, packet too big, time exceeded, parameter
//     problem (RFC 792, RFC 4443).
//   - offender: who sends the error: the remote itself, or a router.
//   - quote: the head of the packet that an error is about, which it carries.
package icmp
