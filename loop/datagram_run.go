package loop

// Limits of a run, a message that the kernel cuts into datagrams (UDP_SEGMENT).
const (
	// maxSegments is UDP_MAX_SEGMENTS (include/linux/udp.h): 64 since runs exist,
	// 128 from Linux 6.9 on.
	maxSegments = 64
	// maxRun4 and maxRun6 are what one message may carry, in bytes: an IP packet
	// of 65,535 less the headers; IPv6 does not count its own.
	maxRun4 = 65535 - 20 - 8
	maxRun6 = 65535 - 8
)

// run is the plan of one message: datagrams of equal length to one
// destination, the last of which may be shorter.
type run struct {
	segment   int // bytes of each datagram
	datagrams int
	bytes     int
	prefixes  int // bytes of them that are prefixes
	most      int // bytes that the family allows
	closed    bool
}

// startRun begins a run with payload, of length bytes in datagrams of segment
// bytes each. It holds no more than it may: the caller cuts payload to fit.
func startRun(length, segment, most int) run {
	r := run{segment: segment, most: most}
	r.add(length)
	return r
}

// startPrefixed begins a run with one datagram of a prefix and a payload.
func startPrefixed(prefix, payload, most int) run {
	r := startRun(prefix+payload, prefix+payload, most)
	r.prefixes = prefix
	return r
}

// takes reports whether length more bytes, in datagrams of segment bytes, may
// follow. A datagram of 0 bytes can't be told from none, so it stays alone.
func (r *run) takes(length, segment int) bool {
	if r.closed || length == 0 || r.bytes+length > r.most || r.datagrams+count(length, r.segment) > maxSegments {
		return false
	}
	return segment == r.segment || length <= segment && length < r.segment
}

func (r *run) add(length int) {
	r.bytes += length
	r.datagrams += count(length, r.segment)
	r.closed = length == 0 || length%r.segment != 0
}

// count is how many datagrams length bytes are.
func count(length, segment int) int {
	if length <= segment {
		return 1
	}
	return (length + segment - 1) / segment
}

// cut is how many bytes of payload one run may take.
func cut(length, segment, most int) int {
	if segment == 0 {
		return length
	}
	return min(length, segment*min(maxSegments, max(1, most/segment)))
}
