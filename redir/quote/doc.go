// Package quote makes text from outside fit to be printed: names of processes,
// interfaces, chains and sets are whatever somebody chose, and a terminal obeys
// what it is shown.
//
//	name of a process ──► Name ──┐
//	                             ├──► a line of an error, a check, a status ──► Line ──► terminal
//	rule of another ─────────────┘
//
// Glossary:
//
//   - line: text for people, of which nothing breaks the line, moves the cursor
//     or turns the direction of writing.
//   - name: a word within a line, of which nothing passes for the rest of it.
package quote
