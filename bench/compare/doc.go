// Package compare puts the same loads through several proxies, one after the other
// in turns, and says what each delivers and what it costs.
//
//	  client                         gateway                              server
//	+--------+       dest port    +---------------------------+       +-----------+
//	| wrk    |   20000 to 20009 --| (forwarded)        direct |------ | nginx     |
//	| iperf3 |---20010 to 20019 --> 12010  sluice             |------ | iperf3    |
//	| load   |   20020 to 20029 --> 12020  haproxy            |------ | serve     |
//	+--------+   ...              +---------------------------+       +-----------+
//
// All peers run at once and wait; the destination port of a load chooses the one
// that it goes through (an nftables map). So the peers take turns within one round,
// nothing is started anew between two measurements, and what disturbs the machine
// for longer than a round disturbs all of them.
//
// The peers of a role have another task: a reverse proxy listens at the gateway for
// one server, a sluice with the client's source keeps its clients' addresses. Each of
// these is in a lab of its own, whose gateway forwards nothing of the client's past
// it; they take turns all the same. Reverse proxies all have the one rule that takes
// replies to the client back to its socket, but for a sluice that has those that
// --install-rules makes, as sluices with a source have.
//
// # Glossary
//
//   - peer: what carries traffic through the gateway: a sluice with some flags (a
//     variant), another proxy, or the kernel alone (direct).
//   - way: how a peer gets its traffic: tproxy, redirect, forward for direct, front
//     where clients address it.
//   - role: what the peers of a work are where they are no transparent proxies:
//     reverse (a reverse proxy that shows the client to the server) or source (a
//     sluice whose datagrams bear the client's address and port). The same sluice with
//     the gateway's address takes part in both, as a yardstick. Or socks (what comes
//     goes on through one SOCKS5 server, in the server's namespace; the yardstick is a
//     sluice without SOCKS5 whose clients address relays of that server), or kernel (a
//     sluice whose rules leave all of this traffic to the kernel).
//   - work: one load with its sizes: a row of the comparison. A sweep is a work at
//     several values of one size.
//   - congestion control: what TCP has at every hop of a work, whoever opens the
//     socket, by the routes of the lab. Gateways run cubic as often as BBR, and bulk
//     streams hang on it: they are measured with each, as works of their own. Where it
//     is not the machine's it also takes the place of what a variant's flags ask for.
//   - unit: what a work counts: a request, a connection, a datagram, a session or
//     a gigabyte (10^9 bytes).
//   - round: each peer once, in an order that shifts from round to round.
//   - sample: one peer, one work, one round. It has a value for each metric.
//   - base: the peer that the ratios of a work refer to. A ratio is taken within a round and
//     then summed up over the rounds.
//   - target: what sluice is to reach against a yardstick, a peer by name.
//   - check: a question of correctness that each peer is asked once.
//
// # JSON
//
// A Result is one JSON object; its "schema" is "sluice-bench/compare/1". Fields
// may be added to it; a change of meaning changes the number.
//
//	schema        string
//	start         RFC 3339 time
//	seconds       how long all of it took
//	machine       kernel, cpu, cpus, memory_bytes, file_limit, congestion_control
//	base          [names of peers]: of each work the first that took part; a work where
//	              none did has another: a proxy, else direct, else the first sluice
//	congestion_controls
//	              [names] that TCP was to be measured with: bulk streams with each, all
//	              else with the first; absent: the machine's
//	rounds        rounds asked for; a row has fewer samples where time ran out
//	round_seconds length of one load
//	peers         [{name, kind, way, role, version, command, note, left_out, checks}]
//	              kind: direct, sluice, haproxy, nginx, redsocks, sing-box, xray,
//	              hev-socks5-tproxy
//	              role: of the works that it takes part in; absent: transparent proxy
//	              left_out: why it was not measured; absent where it was
//	              checks: [{name, verdict, detail}], verdict: ok, wrong, none
//	              (none: it does not carry that)
//	works         [{key, title, unit, transport, role, congestion_control, memory, sweep,
//	              x, base, rows, left_out}]
//	              key: of bulk streams with another congestion control than the first
//	              it ends in -NAME
//	              congestion_control: of the works over TCP; absent: the machine's
//	              memory: memory is what the work is about
//	              sweep and x: of a sweep, what is varied and its value
//	              rows: [{peer, samples, summary, ratio}]
//	                peer: in the sweep over reactors the variant that was varied
//	                samples: [{round, values: {METRIC: number}, fault}]
//	                summary, ratio: {METRIC: {median, min, max, q1, q3, n}}
//	              left_out: [{peer, why}], who could take no part
//	targets       [{work, metric, yardstick, at_least, aim, aim_yardstick, peer,
//	              ratio, aim_ratio, verdict}], verdict: aim, enough, below, unknown
//	              work: a key, so of bulk streams with the first congestion control
//	              yardstick "--source gateway": that peer's like with this source;
//	              "by a relay": the same without SOCKS5
//
// Metrics; one that a work does not measure, or that has too few events, is absent:
//
//	rate          units per second
//	proxy_cpu     CPU seconds per unit of the peer's process tree
//	              (/proc/PID/task/*/schedstat); absent for direct
//	machine_cpu   CPU seconds per unit of the whole machine, the load tools and
//	              whatever else runs on it included (/proc/stat)
//	p50 p75 p90 p99 p99.9 p99.99
//	              latency in seconds
//	rss, pss      memory of the peer's process tree in bytes, under load (after it,
//	              where the work says so)
//	fds           open file descriptors of the peer's process tree, at that time
//	lost          requests or datagrams without an answer, as a share of those sent
package compare
