// Package outbound keeps the outbounds that are open, and the ways that lead to
// them.
//
//	[]Spec ── Validate, Open ──► Set of Outbounds ── NewRouter ──► Router
//	                                                                 │ Decide(inbound, flow)
//	     who dials: Reached, Failed ──► Outbound: health             ▼
//	                                          ▲        ▲            Way ── Now, Usable ──► that of a
//	          Watcher: a test of each member ─┘        └─ asked ─────┘                     member, or a
//	          of a Group ──► which is taken                                               fallback
//
// A Router and a Set never change: a reload makes others, in which outbounds that
// are no other than before are the same, and running conns and flows keep the Way
// that they began with. What does change is the health of an Outbound, and the
// member that a Group takes, which all threads see.
//
// An outbound is down after three failures in a row, for a second; one flow tries
// it then, and each that fails doubles the pause, up to half a minute. A server that
// answers, whatever that is, is up.
//
// Glossary:
//
//   - outbound: how flows leave: directly, through a server, or not at all.
//   - server: the proxy of an outbound of the kinds Socks and HTTP.
//   - way: an inbound, a rule, and the outbound that flows of both take.
//   - path: how a way's sockets leave the machine (upstream.Path).
//   - group: an outbound that is one of others, whichever is the fastest.
//   - member: one of a group. Its delay is what a test of it takes; dead: it fails.
//   - fallback: the way that is taken where a server cannot be reached; of a group's
//     member without one, the next member.
//   - down: of an outbound, that its server was not reached of late, and is not
//     tried for a while.
package outbound
