// Package nat maps a UDP client to its flow. It opens no socket, reads no
// clock and starts no goroutine: what a flow is, and what the time is, the
// caller says.
//
//	                   Table ── count, unreplied, max
//	                     │ low bits of the hash
//	  ┌──────────────────┼──────────────────┐
//	shard              shard              shard
//	  │
//	  ├─ index    read without a lock, replaced whole when it grows
//	  │    bucket │7 tags, overflow│ slot │ slot │ … │ slot │   64 bytes
//	  │                               │
//	  │                               ▼
//	  │                             Entry   key, last touch, Value
//	  │                               ▲
//	  └─ queues   behind the shard's lock, oldest record on top
//	       heap of unreplied │ at │ at │ … │
//	       heap of replied   │ at │ at │ … │
//
// All reactors share one Table, because the kernel may hand one client's
// datagrams to several of them. [Table.Lookup] and [Entry.Touch] run once per
// datagram: they take no lock and allocate nothing. The rest runs once per
// flow and takes the lock of one shard.
//
// # Order without work per datagram
//
// A touch is one store into the entry; no list and no heap learns of it. A
// heap orders its entries by the touch that it last knew of, its record. An
// entry is only ever touched later than its record says, so the top's record
// is a lower bound for the whole heap, and a top whose record still holds is
// the oldest entry. A top that was touched since gets a new record and sinks
// to its place. Expiry and eviction thus find the oldest entry exactly and
// look at no entry that is neither old nor was touched since it seemed old.
//
// Each shard publishes the records of its tops. A full table compares those,
// and locks only the shards that can hold the oldest entry of all.
//
// # Who makes room
//
// Most clients of a flood never see a reply, and most flows get theirs within
// a round trip. So an entry without a reply is the first to go, but not before
// it had the time to get one: until then, an idle flow that had its replies
// makes room for it. Were the youngest to go first, the clients that open at
// once would evict each other while thousands of idle flows stay. A flood gains
// little by that: once an eighth of the table never had a reply, those make
// room for each other, whatever their age.
//
// # Terms
//
//   - client: the address and port that a datagram came from, as one inbound
//     saw them ([Key]). The key has no destination: mapping and filtering are
//     endpoint-independent (RFC 4787, REQ-1 and REQ-8).
//   - entry: one client's place in the table; its Value is the caller's flow.
//   - touch: a datagram of the flow, in either direction, at a time (RFC 4787,
//     REQ-6: the outbound direction must refresh a mapping, both may).
//   - replied: a remote has answered; a reply is a touch that says so.
//   - idle: the time since the last touch; at its timeout an entry is due.
//   - overdue: not replied to, and idle for longer than a reply takes.
//   - flood: an eighth or more of the table is entries without a reply.
//   - victim: the entry that a full table gives up for a new one: the longest
//     idle of the overdue ones, in a flood of the unreplied ones; without any,
//     of the replied ones; without any of those either, of all.
//   - record: the touch that a heap knows of.
//   - tag: seven bits of a key's hash, and one that says that the slot is in
//     use, to tell slots apart without reading the entries.
package nat
