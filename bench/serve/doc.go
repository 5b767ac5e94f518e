// Package serve is what loads are sent to: one port that echoes, swallows, sends
// and answers, over TCP and UDP.
//
//	first frame        TCP: the rest of the connection     UDP: each datagram
//	-----------        -------------------------------     ------------------
//	(not a frame)      returned byte for byte              returned
//	Echo               returned byte for byte              returned, runs as runs
//	Sink               verified; Report after the FIN      verified; counted by flow
//	Source             Data until the client's FIN,        Data at a rate, for a
//	                   then a Report                       time
//	Request            a Response for each                 -
//	Report             -                                   the flow's Report
//
// Since everything else is echoed, it also serves nc and iperf-less trials by hand.
// A datagram's reply leaves from the address that the datagram went to, so a server
// with a local prefix (package lab) answers as any of its addresses.
//
// # Who serves a TCP connection
//
//	accept --> goroutine --[lasting requests, all answered]--> reactor (gnet)
//	               ^                                             |
//	               +--[a response does not go out whole, or what |
//	                   comes is no small, whole request]---------+
//
// A goroutine reads the first frame and serves every stream; the reactors answer many
// connections that ask again and again. A client that has sent its FIN still gets all
// that it asked for, on either (reactors says how).
//
// # Glossary
//
//   - sink: a receiver that verifies and counts.
//   - source: a sender that frames and counts.
//   - reactor: an event loop that serves many connections.
//   - ledger: the sinks and sources of UDP, by flow.
package serve
