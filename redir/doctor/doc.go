// Package doctor tells an operator why diverted traffic does not flow.
//
//	Examine -> each check, in its own file -> []Result -> one line each
//	                                                      status, what is,
//	                                                      the command that mends it
//
// A check reads the gateway (its netlink state, /proc/sys, limits) and hands
// what it read to a judge, a pure function, so that each verdict can be
// tested without a gateway that is broken in that way.
//
// What a kernel can do is found out by doing it in a throw-away network
// namespace: CONFIG_ names cannot always be read and do not say what a
// container may use. The test of this kernel goes further: it builds client,
// gateway and server out of three such namespaces, starts this very executable
// in the middle with rules that fail closed, and sends a connection and a
// datagram through, so that an answer can have come through sluice alone. It
// says nothing about the rules of the real gateway, which are walked instead
// (package firewall), and whose counters are watched for a moment.
//
// A second sluice in such a gateway listens at an address that nobody has, with
// that of clients as its source: the server answers with whom it sees.
//
//	client ns            gateway ns                       server ns
//	192.0.2.2      -- c0 192.0.2.1 | 198.51.100.1 s0 --   198.51.100.2
//	2001:db8:1::2        rules + sluice run --tproxy      2001:db8:2::2
//
// Glossary: a space is a throw-away namespace with a thread of its own; it
// and all in it vanish when the thread ends.
package doctor
