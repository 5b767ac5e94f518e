package rules

// Counter is one of the table's counters.
type Counter struct {
	Name           string
	Packets, Bytes uint64
}
