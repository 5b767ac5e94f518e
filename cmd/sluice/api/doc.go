// Package api is what is said by the control socket: the JSON of /v1, which server,
// command line, page and terminal share.
//
//	GET    /v1/status              Status
//	GET    /v1/flows               FlowPage         ?client= &destination= &network= … (Query)
//	                               ?lines: all of them instead, a Flow a line, in no order
//	DELETE /v1/flows               Ended            the same filters, one at least, or all=true
//	GET    /v1/flows/ID            Flow
//	DELETE /v1/flows/ID            Ended
//	GET    /v1/counters            Counters
//	GET    /v1/top                 Top              ?by=client|destination &limit=
//	GET    /v1/events              server-sent: "sample", a Sample a second; "status", a Status every ten
//	                               ?flows= (how many; else none) and filters; ?history: "past", Samples of before, come first
//	GET    /v1/config              the configuration in effect, as run --print-config writes it
//	GET    /v1/log-level           LogLevel
//	PUT    /v1/log-level           LogLevel
//	POST   /v1/reload              Reloaded
//	POST   /v1/drain               Draining
//	POST   /v1/session             (TCP only) the token as a cookie, for browsers
//	GET    /healthz  /readyz       Health           200, or 503 where Well is false
//	GET    /metrics                for Prometheus
//	GET    /                       the page
//
// While sluice starts, it answers 503, but at /healthz. Hosts are addresses or localhost.
//
// Errors are application/problem+json (RFC 9457): Problem. Fields are added within
// v1; none is renamed, and none changes its meaning. Clients ignore what they do not
// know.
//
// Glossary:
//
//   - flow: a TCP connection or a UDP session.
//   - up, down: from client to destination, and back. Rates are bytes a second.
//   - sample: what changed between two looks, a second apart.
package api
