// Package torture puts sluice under attack, under faults and under load, and says
// what it did beside what it must do: a card of figures.
//
//	  client                       gateway                          server
//	+-----------------+      +------------------------+      +-------------------+
//	| normal clients  |      | sluice run             |      | package serve     |
//	| 10.77.1.2       |------|   --install-rules      |------| a counter of what |
//	| attackers       | lan  |   --iface=lan          | wan  | came past sluice  |
//	| 10.78.0.0/16    |      | strace, nft, tc, kill  |      |                   |
//	+-----------------+      +------------------------+      +-------------------+
//
// Each figure has a lab and sluices of its own, is bounded in time, and leaves
// nothing behind. Figures that do not disturb each other run beside each other;
// those that measure time or fill the machine run one after the other.
//
// # Glossary
//
//   - figure: one claim about sluice, and what shows it.
//   - reading: one value of a figure, with the target that it must keep.
//   - short, long: the two sizes of each figure. The short one fits CI: what is
//     statistical has a wider target there, and the card says so.
//   - beside, alone: a normal client's measure while something goes on, and without it.
//   - past: packets that reached the server with a client's address: past sluice.
//   - window: a stretch of a soak that gives one value for each series; a slope goes
//     through the windows' values.
//
// # JSON
//
// A Card is one JSON object; its "schema" is "sluice-bench/torture/1". Fields may
// be added to it; a change of meaning changes the number.
//
//	schema    string
//	start     RFC 3339 time
//	seconds   how long all of it took
//	sluice    path and version
//	kernel    string
//	cpus      number
//	short     whether the sizes and targets were the short form's
//	figures   [{name, claim, verdict, seconds, tries, readings, error}]
//	          verdict: ok, missed, error (it could not be measured)
//	          readings: [{what, value, unit, bound, target, long_target, statistical, ok}]
//	          bound: most, least, or absent where a value has no target
//	          long_target: of the long form, where the short form's is another
//	          statistical: other work on the machine moves it
//	          tries: the short form's, which tries again where nothing was missed but
//	          what is statistical; the readings are the last one's
package torture
