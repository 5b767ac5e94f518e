// Package mice measures what a small exchange waits for beside bulk.
//
//	client                        gateway                      server
//	+-----------+                                           +-----------+
//	| mouse     |--- a byte, 1 ms after the last answer --->| its echo  |
//	| elephants |=== as much as goes, up or down ==========>| theirs    |
//	+-----------+                                           +-----------+
//
// The mouse goes alone at first, then beside the elephants, on the same
// connection. Mouse and echo run on real-time threads (SCHED_FIFO, where that is
// permitted): so what is measured is the way, not how long the load tools kept the
// mouse from a CPU. They work for some microseconds in a millisecond.
//
// # Glossary
//
//   - mouse: the small exchange.
//   - elephant: a bulk stream.
package mice
