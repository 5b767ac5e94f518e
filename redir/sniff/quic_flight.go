package sniff

// mostSpans bounds the parts of a hello that have come without what is between
// them. Browsers cut hellos on purpose (Chromium's QuicChaosProtector: into some
// ten pieces a datagram, which come in any order).
const mostSpans = 32

// Flight is what has come of a client's first flight. Its zero value has nothing.
type Flight struct {
	began   bool
	version version
	dest    [mostConnID]byte // the connection id that keys are made of
	destLen int
	keys    keys

	spans [mostSpans]span // of hello, that have come: in their order, and apart from each other
	n     int
	hello [Most]byte
	name  nameRoom
}

// span is from a first byte to the one before end.
type span struct{ from, end int }

// Reset forgets all, for another client.
func (f *Flight) Reset() {
	f.began, f.keys, f.n = false, keys{}, 0
}

// begin makes the keys for what is sent to a connection id.
func (f *Flight) begin(p *packet) (err error) {
	f.version, f.destLen = p.version, copy(f.dest[:], p.dest)
	f.keys, err = keysOf(p.version, p.dest)
	f.began = err == nil
	return err
}

// has reports whether p is of this flight.
func (f *Flight) has(p *packet) bool {
	return f.began && p.version == f.version && string(p.dest) == string(f.dest[:f.destLen])
}

// put adds a piece of the hello, which begins at a byte of it. What is beyond Most
// is left out. False is too many spans.
func (f *Flight) put(at uint64, piece []byte) bool {
	if at >= Most {
		return true
	}
	from := int(at)
	n := copy(f.hello[from:], piece)
	return n == 0 || f.cover(span{from, from + n})
}

// cover joins s with the spans that it touches.
func (f *Flight) cover(s span) bool {
	first := 0
	for first < f.n && f.spans[first].end < s.from {
		first++
	}
	last := first // the first beyond those that s touches
	for ; last < f.n && f.spans[last].from <= s.end; last++ {
		s.from, s.end = min(s.from, f.spans[last].from), max(s.end, f.spans[last].end)
	}
	n := f.n + 1 - (last - first)
	if n > mostSpans {
		return false
	}
	copy(f.spans[first+1:], f.spans[last:f.n])
	f.spans[first], f.n = s, n
	return true
}

// begun is the hello as far as it has come without a gap.
func (f *Flight) begun() []byte {
	if f.n == 0 || f.spans[0].from > 0 {
		return nil
	}
	return f.hello[:f.spans[0].end]
}

// QUIC looks at the next datagram of a client, which may be of its first flight.
// More, of one that is, asks for the next one. Of other datagrams it says No, if f
// has nothing yet; otherwise they are passed over. Once it has said No or Found, f
// is to be reset. b is left as it is.
func (s *Sniffer) QUIC(f *Flight, b []byte) Finding {
	if v, isQUIC := s.gather(f, b); v == No {
		if isQUIC {
			return Finding{Verdict: No, Protocol: QUIC}
		}
		return Finding{Verdict: No}
	}
	message := f.begun()
	found := hello(message, &f.name)
	found.Protocol = QUIC
	if len(message) == Most {
		found.settle()
	}
	return found
}

// gather takes what a datagram has of the hello; No where it is not of a flight, or
// of one that has no name.
func (s *Sniffer) gather(f *Flight, b []byte) (v Verdict, isQUIC bool) {
	isQUIC = f.began
	for {
		p, rest, ok := cut(b)
		if !ok {
			break
		}
		b = rest
		if p.kind == zeroRTT { // which may overtake the Initial
			isQUIC = true
		}
		if p.kind != initial {
			continue
		}
		if !f.began && f.begin(&p) != nil {
			return No, false
		}
		if !f.has(&p) {
			continue
		}
		if frames := s.open(&f.keys, &p); frames != nil {
			if isQUIC = true; !f.take(frames) {
				return No, true
			}
		}
	}
	if !isQUIC {
		return No, false
	}
	return More, true
}
