// Package ruleset reads files of prefixes and names, a million lines in seconds, as
// rules that tell flows apart.
//
//	list    one prefix, address or name a line ──► one Rule
//	source  sing-box's JSON: headless rules    ──► a Rule each
//
//	File: a flow is in it if one of its Rules matches
//	  Rule: plain    its Conditions
//	        logical  each of its Rules, or one of them
//
// What the conditions of a plain rule mean together, is sing-box's:
//
//	(name, or dest address) and (dest port) and (source address) and (source port)
//	and (network)
//
// where a group that says nothing matches everything. Whether a rule matches is
// asked in package route, which may not know the name yet.
//
// Glossary:
//
//   - condition: what a rule says of one property of a flow.
//   - headless: of a rule, that it tells flows apart and does nothing with them.
package ruleset
