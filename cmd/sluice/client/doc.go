// Package client speaks to the control socket of a running sluice.
//
//	commands ──► Client ──► GET, PUT, POST, DELETE /v1/… ──► an api type, or an error that says what to do
//	             Samples ─► GET /v1/events ──► a sample, a sample, … over one connection
//	             Follow ──► the same, again after each that was lost
//
// Glossary:
//
//   - address: the path of a Unix socket, or ADDR:PORT.
//   - token: what sluice asks of who comes by ADDR:PORT.
//   - problem: an error that sluice answered with (api.Problem).
package client
