// Package domain holds sets of names of the DNS: built once, then asked in some
// tens of nanoseconds, also with a million names.
//
//	exact     example.com     that name
//	suffix    example.com     that name and those below it
//	suffix    .example.com    those below it
//	keyword   example         each name with this text in it
//
//	www.example.com ──► example.com, www.example.com ──► table ──► texts
//	                              hashed from the right     found: is it this one?
//	                └─► at each byte: the keywords that begin with it
//
// Names are compared as DNS does, without regard to case (RFC 4343), in the form
// that DNS carries: letters, digits, hyphens and underscores; others as punycode.
//
// Glossary:
//
//   - label: what stands between dots. depth: how many labels a name has.
//   - below: of names, with more labels in front.
//   - entry: one name in the texts: what it stands for, its length, itself.
package domain
