// Package e2e tests the sluice program from outside: it is started as a process
// in the gateway of a lab, netfilter diverts to it by real rules, and real
// clients reach real servers through it. Nothing of package redir is imported.
//
//	client namespace            gateway namespace             server namespace
//	+----------------+     +---------------------------+     +------------------+
//	| curl, dig,     |     | nft or iptables           |     | nginx, dnsmasq,  |
//	| iperf3, Go     |-----|  20000.. REDIRECT :12346 -+-----| iperf3 -s, Go    |
//	|                | lan |  21000.. TPROXY   :12345  | wan |                  |
//	| 10.77.1.2      |     |            |              |     | 10.77.2.2        |
//	| fd77:1::2      |     |       sluice run          |     | fd77:2::2        |
//	| 10.78.0.0/16   |     |  10.77.1.1    10.77.2.1   |     | 198.18.0.0/15    |
//	| fd78::/64      |     |  fd77:1::1    fd77:2::1   |     | 2001:2::/48      |
//	+----------------+     +---------------------------+     +------------------+
//
// The destination port chooses the way: portSpan ports from redirectFirst go
// through REDIRECT (TCP), as many from tproxyFirst through TPROXY (TCP and UDP),
// others are forwarded past sluice. A server sees the gateway's address where
// sluice carried the connection (unless --source says otherwise), and the client's
// where it was forwarded.
//
// # Glossary
//
//   - way: REDIRECT or TPROXY, over IPv4 or IPv6; a test runs over all four.
//   - gateway: the fixture: a lab, its rules and the sluice process. At its end
//     it asserts that sluice gave back what it held (connections, sessions, fds)
//     and that SIGTERM makes it exit with 0.
//   - source: a value of --source: whose address a server sees. Tests of sources run
//     over each kind, with the rules that sluice itself installs for it.
//   - witness: a server that tells its clients whom it sees.
//   - proxy: a SOCKS5 or HTTP server in the server's namespace, which dials from an
//     address of its own, so that a server can tell it from others; its manner says
//     how it misbehaves.
//   - window: sluice's control socket, as those use it who know its documentation.
//   - account: what both ends of a flow know of it, to be compared with what sluice
//     says: while it runs, and in the access log.
//   - lookers: those who look at sluice while it carries: a page, flows --watch, a
//     scraper.
//   - journal: what sluice wrote to standard error, as JSON lines.
//
// The tests need what the lab needs (root, or a user namespace of one's own) and
// the programs that they drive; without them a test is skipped with the reason,
// but fails where the environment has CI set. They build sluice themselves, with
// the race detector if they run with it; SLUICE_E2E_BINARY names a program to be
// tested instead.
package e2e
