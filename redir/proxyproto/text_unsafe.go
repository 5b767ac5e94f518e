package proxyproto

import "unsafe"

// text is b as a string, without a copy. Nobody may keep it: what
// netip.ParseAddr keeps of it is a zone, or an error that quotes it.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
