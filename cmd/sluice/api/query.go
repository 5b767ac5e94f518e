package api

import (
	"net/url"
	"strconv"
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

// Names of the query's parameters.
const (
	paramClient      = "client"
	paramDestination = "destination"
	paramPort        = "port"
	paramNetwork     = "network"
	paramInbound     = "inbound"
	paramOutbound    = "outbound"
	paramState       = "state"
	paramOlder       = "older"
	paramYounger     = "younger"
	paramIdle        = "idle"
	paramRate        = "rate"
	paramHeld        = "held"
	paramSort        = "sort"
	paramLimit       = "limit"
	paramAfter       = "after"
)

// Values are the query's parameters, and the flags of the commands, by the same names.
func (q *Query) Values() url.Values {
	v := url.Values{}
	list := func(name string, all []string) {
		if len(all) > 0 {
			v[name] = all
		}
	}
	text := func(name, value string) {
		if value != "" {
			v.Set(name, value)
		}
	}
	duration := func(name string, d time.Duration) {
		if d != 0 {
			v.Set(name, d.String())
		}
	}
	list(paramClient, q.Client)
	list(paramDestination, q.Destination)
	for _, port := range q.Port {
		v.Add(paramPort, strconv.Itoa(int(port)))
	}
	text(paramNetwork, q.Network)
	list(paramInbound, q.Inbound)
	list(paramOutbound, q.Outbound)
	list(paramState, q.State)
	duration(paramOlder, q.Older)
	duration(paramYounger, q.Younger)
	duration(paramIdle, q.Idle)
	if q.Rate != 0 {
		v.Set(paramRate, strconv.FormatFloat(q.Rate, 'f', -1, 64))
	}
	if q.Held {
		v.Set(paramHeld, "true")
	}
	text(paramSort, q.Sort)
	if q.Limit != 0 {
		v.Set(paramLimit, strconv.Itoa(q.Limit))
	}
	text(paramAfter, q.After)
	return v
}
