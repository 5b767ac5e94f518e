// Package watch takes a look at all flows each second, for as long as somebody wants
// to know what flows now, how much, and whose it is.
//
//	                          each second, in slices
//	Source.Flows ───────────► sampler ──► flows: what each had moved ──► its rate ──► view.Best, one for each subscriber
//	Source.Ended ─► Feed ───►    │                                        ├──► clients, destinations
//	Source.Flow ────────────►    │──► details of those that are told of                  │
//	Source.Stats ───────────►    │──► networks, causes                                   │
//	                             └──► api.Sample ◄───────────────────────────────────────┘
//	                                      │
//	                                      ├──► channel of a subscriber: the newest; who is slow misses some
//	                                      └──► History
//
// The first subscriber starts the sampler, a goroutine, and it ends within a second of
// the last one's leave. Until then it holds some 45 bytes for each flow, 90 for each
// client and each destination, and 1.3 MB of records of ends; afterwards nothing.
// Reactors have no part in it but for the slices that Source.Flows asks of them, and for
// the record of each end. A look takes time on the CPU for each flow and not for each
// byte, spread over as many slices as reactors make.
//
// Flows are told of as full records have them, sessions as brief ones do.
//
// Rates of networks are differences of counters, and exact. Those of clients and
// destinations are sums over flows, also over those that have begun and ended between
// two looks, and over what others have moved from the last look to their end; only ends
// that found no room in the feed are missing (Sample.Lost). A flow that is told to have
// ended and lingers (record.Lingering) counts for as long as looks find it.
//
// The sampler's thread has the priority of any other. With a lower one, latencies of
// relays were no better; and whoever needs all goroutines to halt for a moment, as the
// garbage collector does, would wait until the scheduler lets that thread run.
//
// Glossary:
//
//   - look: one pass over all flows. The first one gives no rates.
//   - interval: the time between the beginnings of two looks, which is longer than a
//     second where looks are.
//   - talker: a client or a destination.
package watch
