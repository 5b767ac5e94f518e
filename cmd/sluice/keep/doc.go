// Package keep is how a running sluice and the keeper of its rules speak: two
// processes of one program, so that the one that reads what strangers send need
// not be able to change a firewall.
//
//	sluice run                                   the keeper
//	net_raw, net_bind_service                    net_admin
//	     │        divert, open, remove   ─────►  reads the configuration itself
//	     │        arrivals               ─────►  compares them with its counters
//	     │        look                   ─────►  asks the kernel how the rules stand
//	     │  ◄─────  reply: an error, or none     watches and repairs by itself
//	     └── socketpair(2), SOCK_SEQPACKET ──┘
//
// No message says which rules: the keeper takes them from the command line and
// the file, as sluice run does, and refuses where the two have not read the same.
// Whoever takes over sluice run can have the operator's rules put in place,
// opened as at the end, removed, or looked at, and nothing else.
//
// Glossary:
//
//   - keeper: the process that holds CAP_NET_ADMIN and the rules. It lives as
//     long as the socket: at its end, rules that fail closed stay, and others go.
//   - sum: a digest of the rules that are meant.
//   - arrivals: what reached sluice, for the keeper to find out that what is
//     diverted does not.
package keep
