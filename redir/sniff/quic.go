package sniff

import "encoding/binary"

const (
	isLong     = 0x80 // of the first byte: a long header (RFC 8999, 5.1)
	mostConnID = 20   // bytes of a connection id (RFC 9000, 17.2)
	leastNum   = 1    // bytes of a packet number

	maskSize  = 16 // of a header's protection: a block of AES (RFC 9001, 5.4.3)
	sampleGap = 4  // from where the packet number begins to what the mask is made of
)

// kind is what a packet with a long header is.
type kind uint8

const (
	initial kind = iota
	zeroRTT
	handshake
	retry
)

// kindOf reads the kind out of the first byte (RFC 9000, 17.2; RFC 9369, 3.2).
func (v version) kindOf(first byte) kind {
	bits := first >> 4 & 3
	if v == version2 {
		bits-- // Retry is 0, Initial 1 and so on
	}
	return kind(bits & 3)
}

// packet is what is read of one without keys.
type packet struct {
	kind    kind
	version version
	dest    []byte // connection id
	bytes   []byte // all of it
	number  int    // where the packet number begins
}

// cut takes the first packet of a datagram, and the rest; false where none follows
// that is part of a flight, or of a version that is known.
func cut(b []byte) (p packet, rest []byte, ok bool) {
	r := reader{b: b}
	first := r.byte()
	p.version = version(r.uint32())
	p.dest = r.take(uint64(r.byte()))
	source := r.take(uint64(r.byte()))
	if r.short || first&isLong == 0 || !p.version.isKnown() || len(p.dest) > mostConnID || len(source) > mostConnID {
		return packet{}, nil, false
	}
	switch p.kind = p.version.kindOf(first); p.kind {
	case retry: // a server's
		return packet{}, nil, false
	case initial:
		r.take(r.varint()) // token
	}
	size := r.varint()
	p.number = len(b) - len(r.b)
	r.take(size)
	if r.short {
		return packet{}, nil, false
	}
	p.bytes = b[:len(b)-len(r.b)]
	return p, r.b, true
}

// open takes the protection off an Initial, and returns its frames; nil where it is
// not protected by the keys. They are valid until the Sniffer is used again; p is
// left as it is.
func (s *Sniffer) open(k *keys, p *packet) []byte {
	sample := p.number + sampleGap
	if len(p.bytes) < sample+maskSize || len(p.bytes) > len(s.bytes) {
		return nil
	}
	b := s.bytes[:copy(s.bytes[:], p.bytes)]
	k.header.Encrypt(s.mask[:], b[sample:sample+maskSize])
	b[0] ^= s.mask[0] & 0xf
	size := leastNum + int(b[0]&3)
	number := b[p.number : p.number+size]
	s.nonce = k.iv
	for i := range number {
		number[i] ^= s.mask[1+i]
		s.nonce[nonceSize-size+i] ^= number[i] // numbers of a flight are small: nothing is cut off
	}
	head, sealed := b[:p.number+size], b[p.number+size:]
	frames, err := k.packet.Open(sealed[:0], s.nonce[:], sealed, head)
	if err != nil {
		return nil
	}
	return frames
}

// reader takes what a packet has, one after the other. When that is not enough it
// is short, and everything is zero from then on.
type reader struct {
	b     []byte
	short bool
}

func (r *reader) take(n uint64) []byte {
	if r.short || n > uint64(len(r.b)) {
		r.b, r.short = nil, true
		return nil
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// varint takes an integer of 1, 2, 4 or 8 bytes (RFC 9000, 16).
func (r *reader) varint() uint64 {
	first := r.byte()
	n := uint64(first & 0x3f)
	for _, b := range r.take(1<<(first>>6) - 1) {
		n = n<<8 | uint64(b)
	}
	return n
}
