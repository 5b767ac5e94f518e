// Package sniff finds the name that a client asks for in the first bytes that it
// sends.
//
//	what has arrived so far of a stream ──► Stream ─┬─► TLS ── records ─────┬─► hello ─┐
//	                                                └─► HTTP ── target, Host│          ├─► normal ─► Finding
//	a datagram, and those before it ──► QUIC ── packets ── frames ── Flight ┘          │
//	                                                           └───────────────────────┘
//	Finding ──► More: ask again with more; at least so much, of a stream
//	       ├──► No: there is no name, and no more bytes will bring one
//	       └──► Found
//
// A stream is looked at again as a whole when more of it has arrived, and nothing
// is kept of it: its bytes stay where they are. Of datagrams, a Flight keeps what
// is needed to put the hello together. None is changed.
//
// Nothing is allocated but for the keys of a Flight, which the standard library
// makes anew for each.
//
// Glossary:
//
//   - name: a host's, in lower case, without a dot at its end; never an address.
//   - hello: a ClientHello, the message that a TLS client begins with (RFC 8446,
//     4.1.2). With ECH it has two names: the outer one, which is read here, and one
//     that only the server can read.
//   - flight: the datagrams that a QUIC client sends before it hears of the server.
//   - Initial: a packet of a flight. Its keys follow from the connection id in its
//     header, so that anybody can open it (RFC 9001, 5.2).
//   - piece: what one CRYPTO frame has of the hello.
package sniff
