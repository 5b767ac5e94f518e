package greet

import (
	"net/netip"
)

// What SOCKS5 is made of (RFC 1928, RFC 1929).
const (
	version5      = 5
	loginVersion  = 1
	methodNone    = 0
	methodLogin   = 2
	methodRefused = 0xff

	unknownCommand = 7 // of replies
	unknownAddress = 8

	commandConnect   = 1
	commandAssociate = 3

	typeIPv4 = 1
	typeName = 3
	typeIPv6 = 4
)

// Bound is the address that a SOCKS5 proxy's reply names: of Associate, where it
// takes datagrams.
type Bound struct {
	size uint8    // of the address, in bytes
	b    [18]byte // it, and the port
}

// AddrPort is the address, unmapped; false where the proxy named a host. One that
// is unspecified is where the proxy was reached.
func (a *Bound) AddrPort() (netip.AddrPort, bool) {
	port := uint16(a.b[a.size])<<8 | uint16(a.b[a.size+1])
	switch a.size {
	case 4:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(a.b[:4])), port), true
	case 16:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(a.b[:16])).Unmap(), port), true
	}
	return netip.AddrPort{}, false
}

// Take reads what the proxy says, and returns how much of b is of its answer.
// With More that is all.
func (p *Proxy) Take(s *State, b []byte) (n int, v Verdict) {
	if p.protocol == HTTP {
		return takeHTTP(s, b)
	}
	return p.takeSOCKS5(s, b, nil)
}

// TakeBound is Take of the answer to Associate, of which bound gets the address.
func (p *Proxy) TakeBound(s *State, b []byte, bound *Bound) (n int, v Verdict) {
	return p.takeSOCKS5(s, b, bound)
}

func (p *Proxy) takeSOCKS5(s *State, b []byte, bound *Bound) (n int, v Verdict) {
	for n < len(b) {
		if s.step == replyBound {
			return s.takeBound(b, n, bound)
		}
		v := p.takeByte(s, b[n], bound)
		n++
		if v != More {
			return n, v
		}
	}
	return n, More
}

// takeByte takes one byte of what comes before the reply's address.
func (p *Proxy) takeByte(s *State, c byte, bound *Bound) Verdict {
	s.step++
	switch s.step - 1 {
	case methodBegin:
		return must(c == version5)
	case methodChosen:
		return p.takeMethod(s, c)
	case loginBegin:
		return must(c == loginVersion)
	case loginStatus:
		s.code = uint16(c)
		if c != 0 {
			return AuthFailed
		}
		return s.next()
	case replyBegin:
		return must(c == version5)
	case replyCode:
		return p.takeReply(s, c)
	case replyReserved: // says nothing
	case replyType:
		return s.takeType(c, bound)
	case replyNameLength:
		s.step, s.left = replyBound, uint16(c)+2
	}
	return More
}

func must(ok bool) Verdict {
	if ok {
		return More
	}
	return Malformed
}

// next goes on after a part of the answer.
func (s *State) next() Verdict {
	if s.waits {
		return Say
	}
	return More
}

func (p *Proxy) takeMethod(s *State, c byte) Verdict {
	s.code = uint16(c)
	switch {
	case c == methodRefused:
		return AuthFailed
	case c != p.greeting[len(p.greeting)-1]:
		return Malformed // it was not offered
	case c == methodNone:
		s.step = replyBegin
	}
	return s.next()
}

// takeReply takes the code of the reply: a proxy that fails need not say more. One
// of a trial was read as one with the greeting.
func (p *Proxy) takeReply(s *State, c byte) Verdict {
	if s.trial {
		p.habit.Store(uint32(takesAll))
	}
	s.code = uint16(c)
	switch c {
	case 0:
		return More
	case 3, 4:
		return Unreachable
	case 5:
		return ConnRefused
	case 6:
		return TimedOut
	}
	return Refused
}

// takeType takes the type of the address in a reply.
func (s *State) takeType(c byte, bound *Bound) Verdict {
	size := uint8(0)
	switch c {
	case typeIPv4:
		size = 4
	case typeIPv6:
		size = 16
	case typeName:
		return More
	default:
		return Malformed
	}
	if bound != nil {
		bound.size = size
	}
	s.step, s.left = replyBound, uint16(size)+2
	return More
}

// takeBound takes the address and the port from b[n:].
func (s *State) takeBound(b []byte, n int, bound *Bound) (int, Verdict) {
	part := b[n:min(n+int(s.left), len(b))]
	if bound != nil && bound.size > 0 {
		copy(bound.b[int(bound.size)+2-int(s.left):], part)
	}
	n += len(part)
	if s.left -= uint16(len(part)); s.left == 0 {
		return n, Done
	}
	return n, More
}
