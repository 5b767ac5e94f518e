package sniff

import "encoding/binary"

const (
	recordHandshake = 22 // content type (RFC 8446, 5.1)
	recordMajor     = 3  // of the version, ever since SSL 3.0
	recordHead      = 5  // bytes: content type, version, length
	mostRecord      = 1 << 14
)

// TLS looks at the begin of a stream that may be TLS.
func (s *Sniffer) TLS(b []byte) Finding {
	b = b[:min(len(b), Most)]
	message, need, ok := s.unpack(b)
	if !ok {
		return Finding{Verdict: No}
	}
	f := hello(message, &s.name)
	if f.Protocol = TLS; f.Verdict != More {
		return f
	}
	if f.Need = min(need, Most); len(b) == Most {
		f.settle()
	}
	return f
}

// unpack takes a handshake message out of its records, as far as b has it; false
// where these are none. What comes after it is not looked at. need is the least
// length of b that may have more of it.
func (s *Sniffer) unpack(b []byte) (message []byte, need int, ok bool) {
	at := 0
	for n := 0; ; n++ {
		head := b[at:]
		if !mayBeHandshake(head) {
			return nil, 0, false
		}
		if len(head) < recordHead {
			return message, at + recordHead + missingOf(message), true
		}
		end := at + recordHead + int(binary.BigEndian.Uint16(head[3:]))
		piece := b[at+recordHead : min(end, len(b))]
		switch n {
		case 0:
			message = piece
		case 1:
			message = append(append(s.bytes[:0], message...), piece...)
		default:
			message = append(message, piece...)
		}
		missing := missingOf(message)
		if missing == 0 || end > len(b) {
			return message, least(end, len(b), missing), true
		}
		at = end
	}
}

// least is the length that a stream of which there are got bytes will have when
// its message is whole, or more of what it tells: missing bytes are to come, of
// which the current record, which ends at end, has some.
func least(end, got, missing int) int {
	if rest := missing - (end - got); rest > 0 {
		return end + recordHead + rest
	}
	return got + missing
}

// mayBeHandshake reports whether b begins a record of a handshake, or may. An empty
// one is none (RFC 8446, 5.1).
func mayBeHandshake(b []byte) bool {
	switch {
	case len(b) > 0 && b[0] != recordHandshake, len(b) > 1 && b[1] != recordMajor:
		return false
	case len(b) < recordHead:
		return true
	}
	size := binary.BigEndian.Uint16(b[3:])
	return 0 < size && size <= mostRecord
}
