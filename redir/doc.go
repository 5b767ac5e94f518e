// Package redir takes what netfilter diverts and carries it to where it was
// going. It assembles the parts, and knows no byte of what they carry.
//
//	                       Server: opens, reloads, drains, sums
//	                              │
//	     ┌────────────────────────┼──────────────────── one for each reactor
//	  worker                    worker …
//	  ┌──┴──┐
//	 tcp   udp        what a connection is; what a session is
//	  ├──┬──┼──────┬─────────┐
//	  │  │  │   inbound      │        what is listened on, where a connection was going
//	  │  │  │      │   upstream       how a destination is reached
//	  │  │ admit   │    │    │        whether a flow may be
//	  │  │  └──┐   │    │    │
//	  │  │   count └─ socket ┘        counters and the log by cause; the calls to the kernel
//	loop splice nat          icmp     (beneath udp) errors as bytes
//	                         resolve  (beneath inbound) the addresses of names
//	                         portmap  (beneath tcp, udp) ports that stand for others
//	                         source, proxyproto  (beneath upstream) whose address
//	                                  it bears, and headers that say whose
//
//	scarcity ── pressure: memory, and the fd limit, as others leave them: both
//	            halves are told of it
//
// No import runs up. rules, firewall, doctor and config stand beside: what
// diverts traffic here, what others' rules do to it, whether this machine can,
// and the file that says how.
//
// Glossary:
//
//   - client: who sent the diverted packet. dest: where it was going, the
//     original destination. upstream: sluice's own socket towards dest.
//   - inbound: what one --redirect, --tproxy or --forward names; it has a listener
//     for each reactor, family and network.
//   - conn: a TCP connection and its upstream. flow: a UDP session.
//   - worker: what one reactor owns: a half for TCP and one for UDP, which
//     count into the same counters. Workers share the NAT table, the bound of
//     connections and the admission.
//   - lane: one of the UDP sockets that a worker has for an inbound and family; a
//     client's datagrams always take the same.
//   - budget: how the fds that the process may have are shared out; each has its
//     owner there.
package redir
