package proxyproto

// Parse reads the header that b begins with. With Complete, n is the header's
// length in bytes; what follows it in b is the stream's. With Incomplete, n is the
// least length that it will have, more than b has: a caller that bounds headers
// need not wait for one that is too long. Otherwise n is 0.
func Parse(b []byte) (h Header, n int, v Verdict) {
	switch {
	case len(b) == 0:
		return Header{}, leastV1, Incomplete
	case b[0] == signatureV1[0]:
		return parseV1(b)
	}
	return parseV2(b)
}

// begins tells whether b has the whole of a signature (Complete), the begin of it
// (Incomplete) or something else (Absent).
func begins(b []byte, signature string) Verdict {
	n := min(len(b), len(signature))
	switch {
	case string(b[:n]) != signature[:n]:
		return Absent
	case n < len(signature):
		return Incomplete
	}
	return Complete
}
