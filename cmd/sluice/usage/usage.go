package usage

import "time"

// Usage is what a process takes. What is not known is zero.
type Usage struct {
	CPU     time.Duration // since the start, of all threads
	Memory  uint64        // resident, bytes
	Virtual uint64        // bytes
	FDs     int           // that are open
	FDLimit int           // how many may be
}
