// Package proxyproto reads and writes the header with which a proxy tells the
// next one whose connection it passes on: the PROXY protocol, versions 1 and 2
// (doc/proxy-protocol.txt of HAProxy, called the specification here).
//
//	what has arrived so far ──► Parse ──► Header, its length, Complete
//	                                 ├──► at least so long, Incomplete: ask again with more
//	                                 ├──► Absent: the stream begins with something else
//	                                 └──► Malformed
//	source, dest ──► AppendV1, AppendV2, Sending.Append ──► header
//
// Parse looks at a byte slice, keeps nothing of it and allocates nothing: it can
// be asked again and again while a header arrives byte by byte.
//
// Glossary:
//
//   - header: what stands before the first byte of the stream, or of a datagram.
//   - local: of a header, that the sender speaks for itself: a health check.
//   - unspecified: of a header, that it tells of no internet addresses: UNKNOWN in
//     version 1, AF_UNSPEC and AF_UNIX in version 2.
//   - TLV: what may follow the addresses in version 2: type, length, value.
package proxyproto
