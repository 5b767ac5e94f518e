// Package firewall walks the rulesets of a gateway with a packet in mind, and
// says which rules stop it.
//
//	netlink dump -> Decode -> Ruleset -> Walk(a Packet, a hook) -> Passage
//	 (all tables)   (pure)                                         what passes, what
//	                                                               stops the rest
//
// It interprets rules without packets: a Packet has fields that are known (the
// interface, the protocol, the connection tracker's state, the mark) and
// others that are not (addresses, ports). A condition on the latter is met by
// an Amount of the packets, from none to all, and so is what follows it.
//
//	tcp dport 22 accept          few pass; the rest goes on
//	jump reject_them             all of the rest
//	  meta l4proto tcp reject    TCP: all that is left is stopped, here
//
// Jumps, gotos, verdict maps, sets, marks (of packets and of connections),
// limits, NAT, and what iptables-nft makes of its matches and targets are
// followed. What is not understood is met by some.
//
// Nothing here trusts a dump: lengths are checked, and depth and work are
// bounded, so that a broken one costs an answer and no more.
//
// Glossary: a stop is a rule, or a chain's policy, that ends packets. A limit
// is a rule that lets through so many in a time. A chain diverts when one of
// its rules hands packets to a listener (tproxy, redirect).
package firewall
