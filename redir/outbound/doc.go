// Package outbound keeps the outbounds that are open, and the ways that lead to
// them.
//
//	route.Table ── rule ──► Router.Way(inbound, rule) ──► Way ── Now ──► Way of a member
//	                                                      │ In, Out, Port, Path
//	     who dials: Reached, Failed ──► Outbound: health ◄┘
//
// A Router never changes: a reload makes another, and running conns and flows keep
// the Way that they began with. What does change is the health of an Outbound,
// which all threads see.
//
// Glossary:
//
//   - outbound: how flows leave: directly, through a server, or not at all.
//   - server: the proxy of an outbound of the kinds Socks and HTTP.
//   - way: an inbound, a rule, and the outbound that flows of both take.
//   - path: how a way's sockets leave the machine (upstream.Path).
//   - group: an outbound that is one of others, whichever is the fastest.
//   - fallback: the way that is taken where a server cannot be reached.
//   - down: of an outbound, that its server was not reached of late, and is not
//     tried for a while.
package outbound
