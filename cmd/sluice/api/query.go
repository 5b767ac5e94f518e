package api

import (
	"net/url"
	"time"
)

// Query says which flows are meant, in which order. The zero value means all.
type Query struct {
	Client      []string      // addresses, networks (CIDR) or ADDR:PORT; of several, any
	Destination []string      // the same; or names, which a leading dot makes those below
	Port        []uint16      // of the destination
	Network     string        // tcp, udp
	Inbound     []string      // tags
	Outbound    []string      // tags
	State       []string      // record.State
	Older       time.Duration // than this
	Younger     time.Duration
	Idle        time.Duration // at least
	Rate        float64       // both ways together at least, bytes a second
	Held        bool          // those of clients whose rate is used up

	Sort  string // rate, bytes, age, idle, client, destination; - before it turns it round; by default id
	Limit int    // flows a page; 0: the server's own, 100
	After string // FlowPage.Next
}

// Values are the query's parameters, and the flags of the commands, by the same names.
func (q *Query) Values() url.Values { return nil }

// ParseQuery reads what Values has written. An error names the parameter, and what it
// should be.
func ParseQuery(v url.Values) (Query, error) { return Query{}, nil }
