// Package screen shows what goes through a running sluice: on a whole terminal, or as
// plain text, a block a second.
//
//	Source ──► stream: a sample a second ─┐
//	keys, sizes ──────────────────────────┼──► Model ──► head:  how sluice stands, rates and their sparklines
//	answers to what keys ask for ─────────┘              table: one of the views, or an opened flow, or help
//	                                                     foot:  keys, a question, a filter that is typed
//	Source ──► Plain: blocks of text, or samples in JSON
//
// Bubble Tea calls Update and View from one goroutine, which owns the Model; what
// waits for sluice is a Cmd, runs on another, and answers with a message.
//
// Everything that sluice says is printable ASCII before it is laid out (show.Text):
// a column is a byte, and no text of the network's reaches the terminal's ear.
//
// Glossary:
//
//   - view: what the table shows: clients, destinations, flows, refusals.
//   - row: a line of the table. Its key says which thing it is, wherever it stands.
//   - stream: the samples of one query. Another query begins another.
//   - look: what the terminal can show.
package screen
