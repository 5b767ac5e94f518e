package greet

import "strconv"

// Verdict is what Take found.
type Verdict uint8

const (
	More Verdict = iota // the answer goes on
	Say                 // the proxy is to be told more
	Done                // it relays from here on

	// The proxy is there, and the destination is not:

	Unreachable
	ConnRefused
	TimedOut

	// It is the proxy's:

	Refused    // it will not, or cannot say why it could not
	AuthFailed // it does not take the user and password, or the lack of them
	Malformed  // it said what makes no sense
)

// OfDest reports whether the destination is at fault, and not the proxy.
func (v Verdict) OfDest() bool { return v == Unreachable || v == ConnRefused || v == TimedOut }

// Failure is why a proxy does not relay.
type Failure struct {
	Protocol Protocol
	Verdict  Verdict
	Code     uint16 // of HTTP the status, of SOCKS5 the reply or, with AuthFailed, what it answered; 0: none
}

// Failure is why the proxy does not relay, after a verdict that says so.
func (p *Proxy) Failure(s *State, v Verdict) Failure { return Failure{p.protocol, v, s.code} }

// IsUnknownCommand reports whether the proxy does not know what it was asked for, as
// of one that relays no datagrams.
func (f Failure) IsUnknownCommand() bool {
	return f.Protocol == SOCKS5 && f.Verdict == Refused && f.Code == unknownCommand
}

// IsUnknownAddress reports whether the proxy does not know addresses of the family
// that it was asked for.
func (f Failure) IsUnknownAddress() bool {
	return f.Protocol == SOCKS5 && f.Verdict == Refused && f.Code == unknownAddress
}

// Error says it in a line.
func (f Failure) Error() string {
	switch {
	case f.Verdict == Malformed:
		return "its answer is not " + f.Protocol.spoken() + ": is it such a proxy?"
	case f.Protocol == HTTP:
		return "it answers " + strconv.Itoa(int(f.Code)) + explainStatus(f)
	case f.Verdict == AuthFailed && f.Code == methodRefused:
		return "it takes none of the methods that were offered: does it want a user and a password, or none?"
	case f.Verdict == AuthFailed:
		return "it does not take the user and password"
	}
	return "it answers " + strconv.Itoa(int(f.Code)) + explainReply(f.Code)
}

func (p Protocol) spoken() string {
	if p == HTTP {
		return "HTTP/1"
	}
	return "SOCKS5"
}

// explainStatus is for people.
func explainStatus(f Failure) string {
	switch {
	case f.Verdict == AuthFailed:
		return ": it wants a user and a password, or others"
	case f.Code == 403:
		return ": it forbids the destination"
	case f.Verdict == Unreachable:
		return ": it cannot reach the destination"
	case f.Verdict == TimedOut:
		return ": the destination does not answer it"
	}
	return ""
}

// replies are those of RFC 1928, 6.
var replies = [...]string{
	1: "general failure",
	2: "its rules forbid the destination",
	3: "network unreachable",
	4: "host unreachable",
	5: "connection refused",
	6: "TTL expired",
	7: "it does not know the command",
	8: "it does not know addresses of this family",
}

func explainReply(code uint16) string {
	if int(code) < len(replies) {
		return ": " + replies[code]
	}
	return ""
}
