// Package greet is what a proxy is told before it relays, and what it answers:
// SOCKS5 (RFC 1928, RFC 1929) and HTTP CONNECT (RFC 9110, 9.3.6; RFC 7617), as
// state machines over byte slices. It knows no socket and no clock.
//
//	Proxy.Begin ─► State
//	State, Request ─► Proxy.Append ─► to the proxy
//	from the proxy ─► Proxy.Take ─┬─► More: it has not said all
//	                              ├─► Say: it waits for what Append appends now
//	                              ├─► Done: the next byte is the destination's
//	                              └─► why not: Unreachable … Malformed
//
// Take reads an answer in pieces of any size, keeps none of it, allocates nothing,
// and takes no byte of what follows the answer: a destination may speak first.
//
// A SOCKS5 proxy that reads what it has not asked for yet is told all at once,
// which spares two round trips. Some throw away what came with the greeting
// (microsocks 1.0.3 does), so one of which that is not known yet gets one thing at
// a time, and one connection is a trial.
//
// Datagrams through SOCKS5 have a header each: AppendUDPHeader, ParseUDPHeader.
//
// Glossary:
//
//   - hello: all that a proxy is told: greeting, user and password, request.
//   - greeting: of SOCKS5, the first message: which methods may be taken.
//   - method: of SOCKS5, how a client shows who it is.
//   - reply: what a proxy answers to a request.
//   - trial: a connection that finds out whether the proxy takes a hello as one.
package greet
