package ruleset

import "unsafe"

// text is b as a string, without a copy. It is valid as long as b stays as it is.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
