// Package control answers at the control socket what package api describes.
//
//	unix socket ──┐                              ┌─► Flows    records, a slice at a time
//	ADDR:PORT ────┴► Listener ─► Server ─ routes ┼─► Steer    status, reload, drain, log level
//	      └ Token                                ├─► Watch    samples, rates
//	                                             └─► Health, Metrics, Page
//
// Who may connect to a unix socket is up to its mode and its directory; over TCP, a
// token is asked for at every address. Browsers show pages of others too: a request
// that one of those has made is refused, by what browsers say of where a request
// comes from, and by the name that it was made to (DNS rebinding).
//
// A socket is open before the program gives up its rights, and is answered once it
// serves. A sluice that takes over gets it from the one before, with what waits there:
// the path leads to the same socket all the time, and whoever ends last removes it.
//
// While nobody is connected, one goroutine waits for who connects, and nothing else
// goes on. All of it runs beside the reactors: what it wants of them it asks for, a
// slice at a time, and one look at all flows at a time.
//
// Glossary:
//
//   - problem: an error as JSON (RFC 9457).
//   - scan: one look at all flows.
//   - stream: an answer without an end, of server-sent events.
//   - session: a browser that has shown the token, as a cookie tells.
package control
