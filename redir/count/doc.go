// Package count counts what one worker does, and logs what went wrong by its
// cause.
//
//	tcp, udp ──Add──► Counters   one for each worker  ──Collect──► Stats
//	         ──Line─► Log        one for each worker  ──► zerolog, a few lines a second for each cause
//
// Glossary:
//
//   - counter: one thing that is counted; the same name is its key in logs and
//     the cause of a line.
//   - cause: a counter that says why a conn, a flow or a datagram was not
//     carried: a refusal, a failure or a drop.
//   - refusal: a conn or datagram that admission turned away.
//   - failure: a conn or flow that could not be carried.
//   - end: how a conn or flow ended that was carried.
//   - drop: a datagram lost inside sluice.
//   - event: what else is worth knowing.
package count
