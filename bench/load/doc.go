// Package load puts load on a path to a server of package serve, verifies every
// byte that comes back, and measures.
//
//	Spec --> Run --> workers --> tallies --> Result --> expectations, JSON
//	                   |
//	                   +-- tcp-stream         a goroutine each way for every stream
//	                   +-- tcp-rr, tcp-idle   netpoll: a callback for every response
//	                   +-- tcp-crr            a goroutine for every connection at a time
//	                   +-- udp-*              OS threads, each with its own sockets:
//	                                          epoll, recvmmsg + UDP_GRO, sendmmsg + UDP_SEGMENT
//
// # Glossary
//
//   - unit: what a load counts: a byte, a request, a connection or a datagram that
//     came through whole, in the right flow, from the right source.
//   - closed loop: an answer lets the next request go. Latency is that of the path
//     under as much load as it takes.
//   - open loop: requests are due at a rate, whatever comes back. Latency counts from
//     when a request was due, so the time that it had to wait counts
//     (no coordinated omission).
//   - grave fault: one that no network may have: corrupt, mixed, from a wrong source,
//     or a stream that is short or out of order. It fails the run.
//   - ceiling: what the same load reaches without a proxy.
//
// # JSON
//
// A Result is one JSON object; its "schema" is "sluice-bench/load/1". Fields may be
// added to it; a change of meaning changes the number.
//
//	schema            string
//	start             RFC 3339 time
//	spec              what was asked for, with every default filled in: test, target,
//	                  from, duration_ns, flows, size, reply, window, rate, think_ns,
//	                  direction, single, threads, timeout_ns
//	seconds           how long it took
//	unit              "byte", "request", "connection" or "datagram"
//	sent              units sent (tcp-stream: bytes; downwards: by the server)
//	units             units that came through
//	units_per_second
//	bytes_sent        payload that the client sent, frame headers included
//	bytes_received    payload that the client received
//	bits_per_second   of payload that reached its end: what is received, of a one-way
//	                  load what the receiver reported
//	latency           absent for streams; microseconds: count, min_us, mean_us,
//	                  stddev_us, p50_us, p90_us, p99_us, p99_9_us, p99_99_us, max_us,
//	                  percentiles: [{percent, us}], the whole curve.
//	                  tcp-rr, udp-rr, udp-churn: request to response; tcp-crr: connect
//	                  to response; tcp-idle: connect
//	jitter_us         udp-stream, udp-flood: RFC 3550, mean over the flows
//	faults            counts: lost, duplicate, reordered, corrupt, mixed,
//	                  wrong_source, short, errors; first_error: text
//	tool_cpu_seconds  of this process, user and system
//	ceiling           absent where it was not measured: target, units_per_second,
//	                  bits_per_second, latency
//	ok                no failures
//	failures          [text]
package load
