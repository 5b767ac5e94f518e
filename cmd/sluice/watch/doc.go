// Package watch takes a look at all flows each second, for as long as somebody wants
// to know what flows now, how much, and whose it is.
//
//	                          each second, in slices
//	Source.Flows ───────────► sampler ──► flows: what each had moved ──► its rate ──► view.Best, one for each subscriber
//	Source.Ended ─► Feed ───►    │                                        │
//	                             │                                        └──► clients, destinations
//	Source.Stats ───────────►    │──► networks, causes                                   │
//	                             └──► api.Sample ◄───────────────────────────────────────┘
//	                                      │
//	                                      ├──► channel of a subscriber: the newest; who is slow misses some
//	                                      └──► History
//
// The first subscriber starts the sampler, a goroutine, and it ends within a second of
// the last one's leave. Meanwhile it costs some 50 bytes for each flow and 100 for
// each client and destination; afterwards nothing. It makes no difference to a reactor
// but for the slices that Source.Flows takes from it, and the records of ends.
//
// Rates of networks are differences of counters, and exact. Those of clients and
// destinations are sums over flows, also over those that have begun and ended between
// two looks, and over what others moved between the last look and their end; only
// ends that found no room in the feed are missing (Sample.Lost). A flow that ends with
// something left to deliver (record.Lingering) counts for both until its end is told,
// and then as long as looks find it.
//
// A sample costs time on the CPU for each flow, not for each byte: benchmarks say how
// much. The sampler's thread has the priority of any other. A lower one would do
// harm: whoever needs all goroutines to halt for a moment, as the garbage collector
// does, would wait until the scheduler lets that thread run.
//
// Glossary:
//
//   - look: one pass over all flows. The first one gives no rates.
//   - interval: the time between the beginnings of two looks, which is longer than a
//     second where looks are.
//   - talker: a client or a destination.
package watch
