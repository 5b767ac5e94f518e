package sniff

// Frames that an Initial may have (RFC 9000, 12.4; 19).
const (
	framePadding = 0x00
	framePing    = 0x01
	frameAck     = 0x02
	frameAckECN  = 0x03
	frameCrypto  = 0x06
)

// take puts together what an Initial has of the hello; false where it has what no
// client begins with, or closes the connection.
func (f *Flight) take(frames []byte) bool {
	r := reader{b: frames}
	for len(r.b) > 0 {
		switch kind := r.byte(); kind {
		case framePadding, framePing:
		case frameAck, frameAckECN:
			r.skipAck(kind == frameAckECN)
		case frameCrypto:
			at, size := r.varint(), r.varint()
			if piece := r.take(size); r.short || !f.put(at, piece) {
				return false
			}
		default:
			return false
		}
	}
	return !r.short
}

// skipAck passes over the fields of an ACK frame (RFC 9000, 19.3).
func (r *reader) skipAck(ecn bool) {
	r.varint() // the largest packet number
	r.varint() // delay
	ranges := r.varint()
	r.varint() // first range
	for ; ranges > 0 && !r.short; ranges-- {
		r.varint() // gap
		r.varint() // length
	}
	if ecn {
		r.varint()
		r.varint()
		r.varint()
	}
}
