// Package splice moves bytes between two stream sockets, with half-close and back-pressure: copy first, splice through pooled
// pipes when the flow proves to be bulk.
//
//	                 Relay
//	 side A  ────────────────────────────  side B
//	(client) │ direction A                │ (upstream)
//	         │   recv ─► Workspace.buffer ─► send          copy: messages, and all that is short
//	         │              └─► residue ─────► send        what the destination had no room for
//	         │   splice ─► pipe ─► splice                  bulk: the pages change hands
//	         │ direction B: the same, the other way round
//	         ────────────────────────────
//	Notify(side, events) ─► what the kernel said of a side
//	Pump() or PumpWithin(allowance) ─► Blocked | Again | Finished | Broken
//
// Glossary
//
//   - side: one of the two sockets. As a source it is known to be readable from an edge until a call proves that nothing is
//     left; as a destination, writable until it takes less than it was given. No call is made that is known to fail.
//   - direction: the way from one side, its source, to the other, its destination. Named by the source.
//   - edge: one report of edge-triggered epoll. Sockets are registered once, for everything, and never modified.
//   - residue: bytes read and not yet written, in a buffer of their own. A direction has one residue or one pipe at most, and
//     reads nothing more while it holds either; so a reader that stalls stops the writer, and memory is bounded.
//   - bulk: a direction whose reads keep filling the copy buffer. It is spliced until it moves little for a while.
//   - heavy: a relay whose last Pump moved more than a message. The caller lets others go before it.
//   - piece: what one splice moves: what a pipe takes, or one packet where the destination's TCP paces itself. See piece_linux.go.
//   - allowance: how many bytes the caller lets be taken of a side. A side that has none left rests, which is not to be blocked: its
//     bytes, its end and its failure wait in its socket.
//   - end: a FIN from the source. It is passed on once everything before it is delivered; the other direction lives on.
//   - failure: an error of a side. What it had sent is delivered; then the relay is Broken, and the caller resets the other.
//   - together: of the first read of many relays in a turn, and of the writes of what it brought, that they are made by two system
//     calls. See together_linux.go.
//   - workspace: what the relays of one reactor share: copy buffer, pipe pool, residue buffers, counters. No locks.
//
// Pipes are scarce: beyond /proc/sys/fs/pipe-user-pages-soft (pipe(7)) an unprivileged user gets pipes of two pages. A direction
// has one only while it is being pumped or while bytes are stuck in it; in between, the pipe is back in the pool. Where none is
// to be had, the direction is copied and Stats counts it.
package splice
