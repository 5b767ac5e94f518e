package api

import "time"

// Sample is what went on in the second or so before Time.
type Sample struct {
	Time     time.Time `json:"time"`
	Interval float64   `json:"interval"` // seconds that the rates are of; 0: the first sample, which has none
	Networks []Network `json:"networks"` // tcp, udp
	Refusals []Cause   `json:"refusals"` // and failures and drops, those that are not zero: the most frequent of late first

	Connections int     `json:"connections"`
	Dialing     int     `json:"dialing"`
	Sessions    int     `json:"sessions"`
	CPU         float64 `json:"cpu"` // of one: 1.5 are one and a half CPUs
	Memory      uint64  `json:"memory"`

	Top
	Flows  []Flow `json:"flows,omitempty"` // the busiest that the query asks for
	Total  int    `json:"total"`           // flows that match
	Next   string `json:"next,omitempty"`  // the query's after for those that come after them
	Lost   uint64 `json:"lost,omitempty"`  // flows whose end is missing in Top, since there were too many
	Health Health `json:"health"`
}

// Network is the traffic of one.
type Network struct {
	Network       string  `json:"network"`
	RateUp        float64 `json:"rate_up"`
	RateDown      float64 `json:"rate_down"`
	DatagramsUp   float64 `json:"datagrams_up,omitempty"` // a second
	DatagramsDown float64 `json:"datagrams_down,omitempty"`
	Opened        float64 `json:"opened"` // flows a second
	Ended         float64 `json:"ended"`
}

// Cause counts what was refused, has failed or was dropped.
type Cause struct {
	Name  string  `json:"name"` // a counter's
	Kind  string  `json:"kind"` // refused, failed, dropped
	Total uint64  `json:"total"`
	Rate  float64 `json:"rate"` // a second
}

// Top are those that use the most of the line, busiest first.
type Top struct {
	Clients      []Talker `json:"clients,omitempty"`
	Destinations []Talker `json:"destinations,omitempty"`
}

// Talker is a client or a destination.
type Talker struct {
	Address     string  `json:"address"`        // without a port
	Name        string  `json:"name,omitempty"` // of a destination, that of its last flow that had one
	Connections int     `json:"connections"`
	Sessions    int     `json:"sessions"`
	RateUp      float64 `json:"rate_up"`
	RateDown    float64 `json:"rate_down"`
	BytesUp     uint64  `json:"bytes_up"` // of the flows that run
	BytesDown   uint64  `json:"bytes_down"`
	Held        bool    `json:"held,omitempty"` // of a client: its rate is used up
}
