// Package usage is what the process takes of the machine: CPU, memory, fds.
//
//	Open, before confinement ──► /proc/self/statm, /proc/self/fd, held open
//	Read, at any time        ──► Usage: two system calls more than a clock
//
// A confined process may open no file of procfs, and read those that it has.
package usage
