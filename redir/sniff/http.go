package sniff

import "bytes"

const (
	// mostMethod bounds a method, in bytes: the longest that is registered has 17
	// (https://www.iana.org/assignments/http-methods).
	mostMethod  = 24
	versionHTTP = "HTTP/1."
)

// HTTP looks at the begin of a stream that may be HTTP of version 1: where it asks
// a proxy, the name is the target's, which goes before the header's (RFC 9112,
// 3.2.2).
func (s *Sniffer) HTTP(b []byte) Finding {
	full := len(b) >= Most
	f := s.request(b[:min(len(b), Most)])
	if f.Verdict == More {
		if f.Need = len(b) + 1; full {
			f.settle()
		}
	}
	return f
}

// request looks at a request's line and then for its host. Need is the caller's to
// set.
func (s *Sniffer) request(b []byte) Finding {
	method, b, v := takeMethod(b)
	if v != Found {
		return Finding{Verdict: v}
	}
	target, b, v := takeTarget(b)
	if v != Found {
		return Finding{Verdict: v}
	}
	if b, v = takeVersion(b); v != Found {
		return Finding{Verdict: v}
	}
	f := Finding{Protocol: HTTP}
	authority, inTarget := authorityOf(string(method) == "CONNECT", target)
	if !inTarget {
		authority, f.Verdict = hostOf(b)
	}
	if inTarget || f.Verdict == Found {
		f.Verdict, f.Name = Found, s.name.normal(withoutPort(authority))
		if f.Name == "" {
			f.Verdict = No
		}
	}
	return f
}

// inMethod reports whether c may stand in a method. Any character of a token may
// (RFC 9110, 9.1); those of all that are in use are capitals and a few others.
func inMethod(c byte) bool { return 'A' <= c && c <= 'Z' || c == '-' || c == '_' }

func takeMethod(b []byte) (method, rest []byte, v Verdict) {
	for i, c := range b {
		switch {
		case c == ' ' && i > 0:
			return b[:i], b[i+1:], Found
		case !inMethod(c) || i == mostMethod:
			return nil, nil, No
		}
	}
	return nil, nil, More
}

func takeTarget(b []byte) (target, rest []byte, v Verdict) {
	for i, c := range b {
		switch {
		case c == ' ' && i > 0:
			return b[:i], b[i+1:], Found
		case c <= ' ' || c == 0x7f:
			return nil, nil, No
		}
	}
	return nil, nil, More
}

// takeVersion takes the rest of the request's line. A line may end without a
// carriage return (RFC 9112, 2.2).
func takeVersion(b []byte) (rest []byte, v Verdict) {
	n := min(len(b), len(versionHTTP))
	if string(b[:n]) != versionHTTP[:n] {
		return nil, No
	}
	b = b[n:]
	if len(b) > 0 && (b[0] < '0' || b[0] > '9') {
		return nil, No
	}
	if len(b) > 1 && b[1] == '\r' {
		b = b[1:]
	}
	switch {
	case len(b) < 2:
		return nil, More
	case b[1] != '\n':
		return nil, No
	}
	return b[2:], Found
}

// authorityOf is the part of a target that names a host, where it has one: that of
// CONNECT is one, and one with a scheme has one (RFC 9112, 3.2).
func authorityOf(connect bool, target []byte) (authority []byte, has bool) {
	if connect {
		return target, target[0] != '/'
	}
	scheme, authority, has := bytes.Cut(target, []byte("://"))
	if !has || !isScheme(scheme) {
		return nil, false
	}
	if end := bytes.IndexAny(authority, "/?#"); end >= 0 {
		authority = authority[:end]
	}
	authority = authority[bytes.LastIndexByte(authority, '@')+1:]
	return authority, len(authority) > 0
}

// isScheme reports whether b is the name of a scheme (RFC 3986, 3.1).
func isScheme(b []byte) bool {
	for i, c := range b {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '+' && c != '-' && c != '.') {
			return false
		}
	}
	return len(b) > 0
}

// hostOf is the value of the first Host among header lines; No where they end
// without one, or are none.
func hostOf(b []byte) (host []byte, v Verdict) {
	for {
		line, rest, whole := bytes.Cut(b, []byte{'\n'})
		if !whole {
			return nil, More
		}
		line = bytes.TrimSuffix(line, []byte{'\r'})
		name, value, isField := bytes.Cut(line, []byte{':'})
		switch {
		case !isField:
			return nil, No
		case isHost(name):
			return bytes.Trim(value, " \t"), Found
		}
		b = rest
	}
}

func isHost(name []byte) bool {
	return len(name) == len("host") && bytes.EqualFold(name, []byte("host"))
}

// withoutPort is the host of an authority; nil where that makes no sense. One in
// brackets is an address, and no name.
func withoutPort(authority []byte) []byte {
	host, port, _ := bytes.Cut(authority, []byte{':'})
	for _, c := range port {
		if c < '0' || c > '9' {
			return nil
		}
	}
	return host
}
