// Package record is what is known of one flow, while it runs and when it has ended.
//
//	tcp.conn ─┐ each reactor copies its own, a slice at a time ──► Record ──► who asked
//	udp.flow ─┘
//	     └─ ends ──► Feeds ──► Feed: a ring for each worker ──► its reader
//
// A worker that ends a flow puts the record into every feed there is, without a lock
// and without waiting: a reader that is slow loses records, which are counted. Where
// there is no feed, the end of a flow costs one load more.
//
// Glossary:
//
//   - flow: here, a TCP connection or a UDP session.
//   - record: a copy of what its worker knows of one.
//   - up: from the client to the destination; down: back.
//   - feed: the records of the flows that end from now on, for one reader.
package record
