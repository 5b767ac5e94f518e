// Package shape says how fast each client may be: bytes a second, each way.
//
//	connections ── Take ──► at: now, or later ──► they rest until then          ┐
//	                └─ GiveBack, of what was not moved                          ├─ Bucket, one each way
//	datagrams ──── Pass ──► how many go on; the rest is dropped                 ┘
//
// A bucket is no account that somebody fills, but a time: when all that was taken
// from it will be paid for at its rate (the theoretical arrival time of the generic
// cell rate algorithm, ITU-T I.371). Who takes moves it on. So a bucket that nobody
// asks costs nothing, and one atomic number serves all workers.
//
// Who takes what is not there yet has a place in a queue all the same, in the order
// of asking: what it takes begins where that of the one before it ends. It rests
// until then. So the connections of one client take turns, a piece each, however
// many they are and whichever worker they are on.
//
// Datagrams cannot wait. While connections do, all datagrams of a client are one
// among them, and get the share of one; else they get all. So neither starves the
// other.
//
// Glossary:
//
//   - limit: bytes a second each way, as an operator gives them.
//   - bucket: one way of it, of one client.
//   - shaper: both.
//   - piece: what a connection takes at a time.
//   - burst: what may go at once after a pause: what the rate would have carried in
//     the last moments of it.
//   - held: of a shaper, that somebody waits for it, or lost a datagram by it, or did
//     a second ago.
//
// Bytes are those of payloads, without headers. Times are ns of Reactor.Now.
package shape
