// Package rules puts in place, watches over and takes away what diverts
// traffic to sluice: an nftables table, a policy rule and a local route.
//
//	        Spec  what the operator wants
//	          |  NewPlan (pure: no kernel is asked)
//	          v
//	        Plan  tables, routes and sysctls as data
//	       /  |  \
//	 Text /   |   \ Install, Apply
//	     v    |    v
//	nft, iptables, |  netlink: route and rule first, then the table in one
//	shell commands |  batch, then (if asked) sysctls
//	               v
//	           Installed -- Watch puts back what others wipe, replace, overtake
//	                     -- Replace swaps in another Spec without a gap
//	                     -- Leave, Hold hand the rules to the next Install
//	                     -- Close leaves the machine as it was
//
// What keeps the gateway closed, to fail closed:
//
//	what others do               what holds
//	flush or delete tables       the table's owner: the kernel refuses
//	remove rule 90, table 100    chain forward: what is marked is dropped
//	kill -9                      the table stays (an orphan), and tproxy finds nobody
//	kill -9, then a flush        Hold, in a process that lives on
//
// The way of a diverted packet (tproxy):
//
//	ingress -> prerouting chain of table inet sluice
//	           tproxy hands the packet to sluice's socket, the mark is set
//	        -> last chain of the hook: set again, if others took it away
//	        -> ip rule 90: fwmark 0x1/0x1 lookup 100
//	        -> ip route: local default dev lo table 100   (delivered here)
//	        -> sluice
//
// The way of a packet to a listener at a foreign address: no tproxy, since it
// names the socket itself:
//
//	prerouting -> socket transparent: the mark is set -> ip rule 90 -> delivered here
//
// What the operator's routes leave to the kernel (Spec.Decisions) is decided by a
// flow's first packet, behind all that leaves packets alone anyway:
//
//	prerouting: ct mark 0x40000000? -> accepted: forwarded, and nothing more is asked
//	   ... history, between, targets
//	   decide: diverted already? -> deliver
//	           decision 1, 2, ... (sets of addresses and ports) -> left, or deliver
//	   left: the mark and a label in the conntrack entry, accepted
//
// So both kinds of flows go on as they began, whatever a later Spec decides. Not so
// UDP where the client's leg has a zone of its own or is not tracked: there a
// packet's fate is chosen before the tracker, from its addresses alone, each time.
//
// Where sluice's sockets towards destinations bear clients' addresses, the legs
// of one connection may have the same addresses and ports, and the connection
// tracker must not take them for one (C:p client, S:80 server):
//
//	raw, -300                          tracked as
//	C:p  -> S:80  from a client  ----> zone 115  -> diverted -> sluice
//	S:80 -> C:p   sluice's answer ---> zone 115
//	C:p  -> S:80  sluice, own mark --> zone 0, own conntrack mark -> masquerade -> WAN
//	S:80 -> C:p   the server's ------> zone 0    -> a return: to sluice
//
// What the kernel can tell of a packet before it is tracked chooses the zone:
//
//	from a client, opens a connection   the conditions by which divert takes it
//	from a client, any other TCP        a socket that sluice accepted, or a SYN cookie
//	                                    that it sent just before
//	from a client, UDP                  those conditions, but for answers: packets
//	                                    that answer a flow which the kernel forwarded,
//	                                    or one of sluice's own
//	sent by the gateway                 a source that it does not have, and no own mark
//
// Returns are known at whichever interface they come by: TCP by its transparent
// socket; UDP by the flow, and goes to sockets on documentation addresses. What
// the gateway's own servers answer bears the mark back, for which a policy rule
// leads to sluice; what they answer from loopback addresses has one too.
//
// Limits: without named interfaces another transparent program's own connections
// are tracked in the zone too, and not masqueraded. What a router within says of a
// datagram's size (ICMPv6) that the kernel forwarded to a server there, through
// NAT, is not translated back. Under Redirect a late-bound port keeps the legs
// apart, but where the client has a connection to the same server from that port.
//
// Glossary:
//
//   - fwmark: the bits of the packet's mark (under a mask) that send it to the
//     routing table in which everything is local.
//   - place: the priority of the policy rule. A rule of others before it that
//     may match diverted packets takes them (a taker); ours moves before it, and
//     back when it is gone. A routing table that others use is left to them, and
//     the next free one serves.
//   - source rule: the rule before ours that answers IPv4's check of a packet's
//     source where that follows the mark (source.go).
//   - effect: what the kernel answers for a diverted packet (RTM_GETROUTE with its
//     mark and the interface that it came by). Presence proves nothing.
//   - own mark: the mark of sluice's own sockets; rules never divert what they
//     send. It counts by its own bits, and as the socket has it: others may set
//     the packet's.
//   - way: a port for what arrives by some interfaces alone (ways.go). The rest is
//     what arrives by none.
//   - listener: a transparent socket at an address that is routed here and that
//     the gateway need not have (listeners.go).
//   - owned: a packet, or an ICMP error about one, for which a transparent socket
//     of this machine is there, listeners on every address left out.
//   - zone: a part of the connection tracker's table (115) in which the client's
//     leg is tracked, apart from all others.
//   - return: a packet to an address that sluice's sockets bear and the gateway
//     does not have.
//   - answer: a UDP packet from a client's interface that answers what the kernel
//     forwarded or sluice sent there; a set that packets fill knows it.
//   - decision: a rule of the operator's routes as far as a first packet shows what
//     it asks for: whether the kernel forwards such flows (decision.go).
//   - left: a flow that the kernel forwards by a decision.
//   - inlet: a port of sluice's that what is diverted goes to.
//   - remembered: a flow whose conntrack entry says that it is diverted.
//   - fact: a comment in the table's facts chain, which no packet visits. The
//     facts say who installed the table, which routing belongs to it and which
//     sysctls had which value before, so they survive a kill -9 of sluice.
//   - lock: an abstract unix socket of the network namespace, which the kernel
//     drops with the process.
//   - owner: the living process that has the lock, and whose netlink socket the
//     kernel lets alone write the table.
//   - orphan: a table whose owner is gone. Whoever installs next adopts it.
//   - seal: the fact that tells whether an orphan is what a plan comes to.
//   - stand-in: a second table of the same rules, while the first is written, or
//     always where an owned table cannot outlive its process.
//   - leftover: a table, rule or route of ours whose owner is gone.
//   - pasted: what somebody pasted of the text that is printed. It bears its
//     signs: the table's name and facts, the routing protocol 115, for iptables
//     chains named SLUICE and a comment.
//   - delivery: a rule of whatever table that hands packets to a port (TPROXY,
//     REDIRECT).
//   - foreign: whatever is not ours; it is never changed.
package rules
