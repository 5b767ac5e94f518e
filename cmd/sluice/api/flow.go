package api

import "time"

// Flow is a TCP connection or a UDP session. Addresses are ADDR:PORT.
type Flow struct {
	ID          string `json:"id"`
	Network     string `json:"network"` // tcp, udp
	State       string `json:"state"`   // record.State
	Inbound     string `json:"inbound"`
	Client      string `json:"client"`
	Destination string `json:"destination"`      // where the client was going; of a session, where it wrote first
	Name        string `json:"name,omitempty"`   // of the destination, where the first bytes were looked at
	Dialed      string `json:"dialed,omitempty"` // the destination as it is reached, where that differs
	Source      string `json:"source,omitempty"` // what the destination, or the server, sees
	Outbound    string `json:"outbound"`
	Server      string `json:"server,omitempty"` // of the outbound
	Rule        *int   `json:"rule,omitempty"`   // of the route, counted from 0; none: no rule was met
	Mark        uint32 `json:"mark"`

	Started       time.Time `json:"started"`
	Active        time.Time `json:"active"` // when something moved last
	BytesUp       uint64    `json:"bytes_up"`
	BytesDown     uint64    `json:"bytes_down"`
	DatagramsUp   uint64    `json:"datagrams_up,omitempty"`
	DatagramsDown uint64    `json:"datagrams_down,omitempty"`

	Held bool `json:"held,omitempty"` // its client has used up its rate (--client-rate)
	// RateUp and RateDown are there where two looks were taken.
	RateUp   *float64 `json:"rate_up,omitempty"`
	RateDown *float64 `json:"rate_down,omitempty"`

	Cause string     `json:"cause,omitempty"` // of its end: a counter's name
	Ended *time.Time `json:"ended,omitempty"`
}

// FlowPage is a part of the flows that a Query asks for.
type FlowPage struct {
	Flows []Flow `json:"flows"`
	Total int    `json:"total"`          // that match
	Next  string `json:"next,omitempty"` // the query's after for the next page; none: this is the last
}

// Ended says how many flows were ended.
type Ended struct {
	Ended int `json:"ended"`
}
