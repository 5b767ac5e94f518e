// Package ledger writes down the flows that have ended: the access log, and what a
// collector is told (package ipfix).
//
//	workers ──► record.Feed ──► Book: a goroutine ──► Writer ─┬─ Lines ─► file, pipe, standard output
//	                                                          ├─ Journal ─► journald
//	                                                          └─ ipfix.Exporter ─► collector
//
// The goroutine sleeps while no flow ends. Where what it writes to is slow, or full,
// the feed runs over, and what is lost is counted: nobody else waits.
//
// What never became a flow, since admission refused it, is in none of them: it is
// counted, and told of in the log.
//
// Glossary:
//
//   - book: the records of one feed, on their way to one writer.
//   - batch: the records that are written together, of a moment (gatherPeriod).
//   - sample: one in so many flows, chosen by its ID.
package ledger
