// Package page is what a browser is given at the control socket: one page, its style
// and its scripts, embedded as they are written. There is no build step, and no foreign
// code.
//
//	GET /            index.html  ─ loads ─►  /page/page.css, /page/theme.js, /page/main.js
//	GET /page/NAME   its files                            main.js ─ imports ─► the other modules
//
//	           ┌──────────────── browser ─────────────────┐
//	/v1/status ─► link.js ──► main.js ──► plot.js, flows.js, talkers.js, causes.js, facts.js
//	/v1/events ─►                 │
//	/v1/flows  ◄──────────── ask.js: ends flows, once a person has said so
//
// Nothing here is secret, so that it is served without the token, for which it then asks.
// What came from the network is set as text and never parsed; the policy
// (require-trusted-types-for) has the browser refuse the opposite. No request leads
// elsewhere than to the server of the page, and the paths are relative, so that it may be
// behind a prefix or a tunnel.
//
// Glossary:
//
//   - sample, status: those of package api.
//   - link: the stream of samples, and what is known of it: live, lost since when.
//   - held order: rows stay where they are while somebody points at them.
//   - file: a file of the page, in files.
package page
