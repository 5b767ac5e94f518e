// Package route decides which way a flow takes: rules in order, of which the first
// that matches wins.
//
//	files ── ReadSets ──► Sets ┐
//	                     Spec ─┴─ New ──► Table ◄── Decide(Flow) ── who begins a flow, on any thread
//	                                        │
//	                                        ├──► a rule, or Final; or that a name is needed to tell
//	                                        └──► Explain: why; Unreachable: rules that no flow meets
//
// A Table never changes: a reload makes another. Deciding takes no lock, and no
// memory. Conditions answer in three values (answer.go), since what depends on the
// name cannot be told before that is known; a name is only asked for where it makes a
// difference to where the flow goes.
//
// What rules mean is sing-box's: see Conditions. Of its rules for rule sets one part
// is left out: a rule of a set that is inverted or logical is judged by itself, and
// not by what the rule outside has met.
//
// Glossary:
//
//   - flow: a connection or a session that begins.
//   - rule: conditions, and the outbound of the flows that meet them all.
//   - final: what flows take that no rule is for.
//   - group: conditions of which one is enough, as all ports of a rule.
//   - rule set: a file of networks and names, merged into the rules that name it.
//   - shape: what a rule asks, in the form in which rules are compared.
//   - name: the domain that a flow is for, as its first bytes tell it.
package route
