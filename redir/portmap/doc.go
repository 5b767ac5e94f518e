// Package portmap is which ports diverted flows are dialled at, where that is not
// the port that their client wrote to: --map 80=50080. What comes back bears the
// port that the client knows.
//
//	client ── to S:80 ──► Map ── to S:50080 ──► S
//	       ◄── from S:80 ──── ◄── from S:50080 ──
//
// Maps make no chains: with 80=81 and 81=82, what was to port 80 is dialled at 81,
// and what was to port 81 at 82.
package portmap
