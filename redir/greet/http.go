package greet

import "bytes"

const (
	lineEnd = "\r\n"
	// statusVersion begins an answer, before the minor version.
	statusVersion = "HTTP/1."
	// mostAnswer bounds an answer of HTTP, in bytes.
	mostAnswer = 16 << 10
)

// takeHTTP reads status line and header, up to the line that is empty; a body of
// a success is the destination's (RFC 9110, 9.3.6). A line may end without CR (RFC
// 9112, 2.2). A proxy that fails need not say more than its status.
func takeHTTP(s *State, b []byte) (n int, v Verdict) {
	for n < len(b) {
		took, v := s.takeHTTPByte(b[n:])
		n += took
		if s.seen += uint16(min(took, mostAnswer)); s.seen > mostAnswer {
			return n, Malformed
		}
		if v != More {
			return n, v
		}
	}
	return n, More
}

// takeHTTPByte takes one byte, or what is left of a line.
func (s *State) takeHTTPByte(b []byte) (n int, v Verdict) {
	c := b[0]
	switch s.step {
	case statusReason, headerLine:
		return s.takeLine(b)
	case headerBegin:
		switch c {
		case '\n':
			return 1, s.takeEnd()
		case '\r':
			s.step = headerEnd
		default:
			s.step = headerLine
		}
		return 1, More
	case headerEnd:
		if c != '\n' {
			return 1, Malformed
		}
		return 1, s.takeEnd()
	}
	return 1, s.takeStatus(c)
}

// takeStatus takes a byte of the status line, before the reason.
func (s *State) takeStatus(c byte) Verdict {
	digit := c >= '0' && c <= '9'
	switch s.step {
	case statusBegin:
		if c != statusVersion[s.left] {
			return Malformed
		}
		if s.left++; int(s.left) == len(statusVersion) {
			s.step = statusMinor
		}
		return More
	case statusMinor:
		s.step = statusSpace
		return must(digit)
	case statusSpace:
		s.step, s.code, s.left = statusCode, 0, 0
		return must(c == ' ')
	case statusCode:
		if s.code = 10*s.code + uint16(c-'0'); !digit || s.code == 0 {
			return Malformed
		}
		if s.left++; s.left == 3 {
			s.step = statusEnd
		}
		return More
	}
	return s.takeStatusEnd(c)
}

// takeStatusEnd takes the byte after the code, which is whole.
func (s *State) takeStatusEnd(c byte) Verdict {
	switch c {
	case '\n':
		s.step = headerBegin
	case ' ', '\r':
		s.step = statusReason
	default:
		return Malformed
	}
	switch {
	case s.code/100 == 2 || s.code/100 == 1 && s.code != 101: // nobody asked to switch protocols
		return More
	case s.code == 101:
		return Malformed
	case s.code == 407:
		return AuthFailed
	case s.code == 502 || s.code == 503:
		return Unreachable
	case s.code == 504:
		return TimedOut
	}
	return Refused
}

// takeLine takes the rest of a line.
func (s *State) takeLine(b []byte) (n int, v Verdict) {
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		return len(b), More
	}
	s.step = headerBegin
	return end + 1, More
}

// takeEnd ends a header: that of an interim answer is followed by another (RFC
// 9110, 15.2).
func (s *State) takeEnd() Verdict {
	if s.code/100 == 2 {
		return Done
	}
	s.step, s.left = statusBegin, 0
	return More
}
