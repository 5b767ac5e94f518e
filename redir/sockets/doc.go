// Package sockets tells which sockets a network namespace has, and which
// process has one of them open, as far as procfs shows it. It is for
// explanations and checks: what is read is of a moment that has passed. The
// tables of proc_pid_net(5) are there on every kernel, while sock_diag(7), which
// tells more, is a module that small gateways go without.
//
//	/proc/thread-self/net/tcp ──► Here ──► Socket ──► inode ──► Process ──► name, pid
//
// Glossary:
//
//   - table: a file of a kind of sockets: tcp, tcp6, udp, udp6, raw, raw6.
//   - inode: the number by which /proc/PID/fd names a socket.
package sockets
