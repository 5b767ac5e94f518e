// Package metrics is what Prometheus reads of a running sluice.
//
//	redir.Server ── counters, histograms, turns: atomics ─┐
//	process ─────── api.Status, health, usage ────────────┼─► Snapshot ─► families ─► page ─► text
//	keeper ──────── rules, some seconds old ──────────────┘      one for each scrape
//
// A scrape asks no reactor, stops no world (runtime/metrics, not ReadMemStats), and
// keeps nothing afterwards: between two there is no cost.
//
// The text format is written here, in a hundred lines, since a scrape copies numbers
// that are counted elsewhere: client_golang would add 2.5 MB to the program and 1 MB
// to what it holds when idle, for a registry without use, and VictoriaMetrics/metrics
// writes no HELP. promtool checks what is written.
//
// Names are the conventions' (prometheus.io/docs/practices/naming): sluice_, base
// units, _total. Values of labels are few: networks, directions, causes (counters, by
// the names that they have in logs), tags of the configuration, reactors. No client
// and no destination is one.
//
// Glossary:
//
//   - family: all samples of one name, with its HELP and TYPE.
//   - sample: a line: name, labels, value.
package metrics
