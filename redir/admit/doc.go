// Package admit decides whether a flow may be: never to sluice's own
// listeners, nor to what is no host's address, nor, unless that is allowed, to
// one of the gateway's own; and never so many of one client that there is nothing
// left for others.
//
//	kernel's local table ──Watch──► own addresses ─┐
//	inbounds, reserved addresses ──SetListeners──► listeners ──────────┼─► Admission.Check(dest) ──► 0, or the cause
//	AllowLocal ────────────────────────────────────┘
//
//	kernel's other tables ──Watch──► links ──► Admission.MayBear(client, dest)
//
//	a conn, a dial, a session begins ──► Clients ──► Client, which holds it until it ends; or a Refusal
//	                                                   └─ Shaper(inbound) ──► how fast it may be
//
// A Self knows the clients that are sluice's own upstream sockets, whose packets
// somebody's rules have diverted again.
//
// All workers share one Admission and ask it without a lock: what it knows are
// immutable sets, replaced whole. They share one Clients too, since the kernel
// spreads a client's connections over all; that takes a lock, once when something
// begins and once when it ends.
//
// Glossary:
//
//   - dest: where a diverted flow was going, unmapped.
//   - own address: one that the kernel delivers locally, by an interface or by
//     a local route of the operator's (AnyIP).
//   - bear: of a socket, to have the address of a client of ours as its own.
//   - link: a prefix whose hosts reach each other without the gateway.
//   - refusal: the counter that says why a flow may not be.
//   - client: an address that diverted flows come from. An IPv6 host may use all
//     addresses of its network, and a LAN shares one: the bounds hold for each
//     address and, half as much again, for the network.
//   - bound: what one client may hold at once, or begin in a second.
//   - exempt: counted, and never refused, nor held to a rate.
//   - ration: how fast a client may be by one inbound. An IPv6 network has one for
//     all its clients.
package admit
