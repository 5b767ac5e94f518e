// Package logging is where the lines go that sluice writes of itself.
//
//	zerolog ──► Output ─┬─ lines for people, or JSON ─► standard error, if there is room
//	                    └─ queue ─► a goroutine ─► journald: MESSAGE, PRIORITY, SLUICE_…
//
// Reactors log, and wait for nobody: neither for a terminal after Ctrl-S nor for a
// journal that hangs. A line for which there is no room is left out and counted, and
// later somebody says how many were (Output.Lost).
//
// Glossary:
//
//   - line: one event, as zerolog writes it: a JSON object.
//   - format: console, json, journald; auto takes the journal where standard error
//     is its stream (systemd.exec(5), JOURNAL_STREAM), lines for people on a
//     terminal, and JSON elsewhere.
//   - entry: a line as the journal has it.
package logging
