// Package route decides which way a flow takes: rules in order, of which the first
// that matches wins.
//
//	Spec ── New ──► Table ◄── Decide(Flow) ── who begins a flow, on any thread
//	                  │
//	                  └──► a rule, or Final; or that a name is needed to tell
//
// A Table never changes: a reload makes another. Deciding takes no lock, and no
// memory.
//
// Glossary:
//
//   - flow: a connection or a session that begins.
//   - rule: conditions, and the outbound of the flows that meet them all.
//   - final: what flows take that no rule is for.
//   - name: the domain that a flow is for, as its first bytes tell it.
package route
