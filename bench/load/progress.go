package load

import "sync/atomic"

// Progress tells how far a running load is. Workers add; anyone reads.
type Progress struct {
	Units  atomic.Uint64 // as in Result; a stream's bytes as they are sent or received
	Faults atomic.Uint64 // grave faults and errors, known so far
}
