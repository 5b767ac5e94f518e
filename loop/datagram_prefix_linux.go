package loop

// HasRoom reports whether PushPrefixed has room for a datagram more.
func (b *SendBatch) HasRoom() bool { return b.n < len(b.headers) && b.iovn+2 <= len(b.iovs) }

// PushPrefixed adds one datagram of a prefix, which must not be empty, and a
// payload, where there is room.
func (b *SendBatch) PushPrefixed(e *Envelope, prefix, payload []byte) bool {
	if !b.HasRoom() {
		return false
	}
	b.start(e, prefix, len(prefix), len(prefix))
	b.runs[b.n-1].bytes = len(payload)
	b.runs[b.n-1].closed = true
	b.gather(payload)
	return true
}

// PushPrefix is Push of datagrams that each have a prefix, which must not be empty:
// they leave in runs too, for each of whose datagrams the kernel gathers prefix and
// payload. Prefixes in a run may differ, where their lengths do not.
// SendResult.Bytes leaves prefixes out.
func (b *SendBatch) PushPrefix(e *Envelope, prefix, payload []byte, segment int, gso *GSO) (rest []byte, whole bool) {
	runs := gso.allows(len(prefix) + segment)
	for {
		part := payload[:min(segment, len(payload))]
		if !(runs && b.joinPrefixed(e, prefix, part)) {
			if !b.PushPrefixed(e, prefix, part) {
				return payload, false
			}
			if runs {
				b.runs[b.n-1] = startPrefixed(len(prefix), len(part), mostOf(e))
			}
		}
		if payload = payload[len(part):]; len(payload) == 0 {
			return nil, true
		}
	}
}

// joinPrefixed adds a datagram to the last run, if it may follow there.
func (b *SendBatch) joinPrefixed(e *Envelope, prefix, payload []byte) bool {
	if b.n == b.sealed() || b.iovn+2 > len(b.iovs) {
		return false
	}
	last, length := &b.runs[b.n-1], len(prefix)+len(payload)
	if last.prefixes == 0 || !last.takes(length, length) || b.envelopes[b.n-1] != *e {
		return false
	}
	last.add(length)
	last.prefixes += len(prefix)
	b.gather(prefix)
	b.gather(payload)
	return true
}
