// Package document writes what can be written from the command line's model
// alone: shell completions and the manual page. Flags and their help are so
// kept in one place, the command structs.
//
//	kong.Application ──► Bash, Zsh, Fish   (what a shell offers after TAB)
//	                 └─► Man               (roff, section 8)
//
// Glossary:
//
//   - command: a node of the model that has no further commands beneath it.
//     path: the words that lead to a node, as "rules install".
//   - value: what a flag takes; its choices are those of its enum. A
//     placeholder FILE makes shells offer file names.
package document
