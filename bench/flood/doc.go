// Package flood sends packets from sources that are not its own, at a rate, as
// who attacks a gateway does. It waits for nothing and counts what it sent; how
// others fare meanwhile, package load measures.
//
//	Spec ──► Run ──► pace ──► batch of packets, built whole ──► raw socket (IP_HDRINCL)
//
// # Glossary
//
//   - source: an address of Spec.From and a port from 1024 on. Each packet has the
//     next one: all addresses in turn, then all with another port.
//   - kind: what the packets are: datagrams, or segments of no connection.
package flood
