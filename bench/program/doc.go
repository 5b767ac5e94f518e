// Package program is what can be seen of a running program from outside: what
// /proc says of its process, and what it writes, line by line.
//
//	standard error ──► Journal ──► lines, entries
//	/proc/PID ──► Process ──► fds, memory, CPU time
//
// Glossary:
//
//   - journal: all that a program has written so far.
//   - entry: a line that is a JSON object.
package program
