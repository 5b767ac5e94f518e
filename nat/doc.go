// Package nat maps a UDP client to its flow. It opens no socket, reads no
// clock and starts no goroutine: what a flow is, and what the time is, the
// caller says.
//
//	                   Table ── count, max, one census per class
//	                     │ hash of the address    ▲ held, lowest record
//	  ┌──────────────────┼──────────────────┐     │ of each shard
//	shard              shard              shard ──┘
//	  │
//	  ├─ index    read without a lock, replaced whole when it grows
//	  │    bucket │7 tags, overflow│ slot │ slot │ … │ slot │   64 bytes
//	  │                               │
//	  │                               ▼
//	  │                             Entry   key, last touch, state, Value
//	  │                               ▲
//	  └─ queues   behind the shard's lock, oldest record on top
//	       heap of waiting  │ at │ at │ … │
//	       heap of answered │ at │ at │ … │
//	       …                one for each class and pair of timeouts
//
// All reactors share one Table, because the kernel may hand one client's
// datagrams to several of them. [Table.Lookup] and [Entry.Touch] run once per
// datagram: they take no lock and allocate nothing. The rest runs once per
// flow, or a few times in its first seconds, and takes the lock of one shard.
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
// Each shard publishes, for each class, the record of its top and how many
// entries it holds. A full table compares those, and locks only the shards that
// can hold the victim.
//
// # Who makes room
//
// Somebody waits on a mapping that talks: a phone for its next call. Nobody
// waits on a question that was answered. So classes of entries make room one
// after the other, whatever their ages, and an entry rises by its traffic:
//
//	waiting ─► answered ─► repeated ─► conversed      a reply; a second, a third exchange
//	               └───────────┴───────────┴─► lasting  a touch 15 s after the first reply
//
// Most clients of a flood never see a reply, and most flows get theirs within
// a round trip. So an entry without a reply is the first to go, but not before
// it had the time to get one: until then, an idle flow that had its replies
// makes room for it. Were the youngest to go first, the clients that open at
// once would evict each other while thousands of idle flows stay. A flood gains
// little by that: once an eighth of the table never had a reply, those make
// room for each other, whatever their age; once a 64th, nothing that conversed
// makes room for them.
//
// Within a class, who holds the most pays first, with the longest idle of its
// own: a client's burst costs others nothing. All entries of an address belong
// to one shard, so the shard that holds the most stands for that client. This is
// exact but for those, one in 256, whose addresses fall to the same shard; it
// needs no memory per client and no more time for many of them. An IPv6 client
// is an address, not a /64, because a LAN's hosts share one: who uses many
// addresses counts as many clients. That the classes go in turn, and what a flood
// may take, holds for such a client too.
//
// A caller that bounds what one client holds makes it pay for itself:
// [Table.EvictOf].
//
// # Terms
//
//   - client: the address and port that a datagram came from, as one inbound
//     saw them ([Key]). The key has no destination: mapping and filtering are
//     endpoint-independent (RFC 4787, REQ-1 and REQ-8). Where it is said what
//     a client holds: all entries of its address.
//   - entry: one client's place in the table; its Value is the caller's flow.
//   - touch: a datagram of the flow, in either direction, at a time (RFC 4787,
//     REQ-6: the outbound direction must refresh a mapping, both may).
//   - replied: a remote has answered; a reply is a touch that says so.
//   - exchange: a reply with one or more of the client's datagrams since the
//     last one. Two questions at once, and their two answers, are one.
//   - class: waiting, answered, repeated, conversed or lasting, see above.
//   - idle: the time since the last touch; at its timeout an entry is due. The
//     first three classes have a timeout of their own ([Timeouts]).
//   - overdue: waiting, and idle for longer than a reply takes.
//   - flood: an eighth or more of the table is waiting.
//   - victim: the entry that a full table gives up for a new one: the longest
//     idle of the overdue ones, in a flood one that waits; without any, one of
//     the lowest class above; see [Table.Insert].
//   - census: what shards publish of one class.
//   - record: the touch that a heap knows of.
//   - tag: seven bits of a key's hash, and one that says that the slot is in
//     use, to tell slots apart without reading the entries.
package nat
