package api

import "time"

// Status is how a running sluice stands.
type Status struct {
	Version  string    `json:"version"`
	PID      int       `json:"pid"`
	State    string    `json:"state"` // serving, draining, handed-over
	Started  time.Time `json:"started"`
	Engine   string    `json:"engine"` // epoll, io_uring
	Reactors int       `json:"reactors"`

	Connections uint64 `json:"connections"` // now
	Sessions    uint64 `json:"sessions"`    // of UDP, now
	BytesUp     uint64 `json:"bytes_up"`    // since the start
	BytesDown   uint64 `json:"bytes_down"`
	Refused     uint64 `json:"refused"` // connections and datagrams, since the start
	Failed      uint64 `json:"failed"`
	Dropped     uint64 `json:"dropped"`

	Inbounds  []Inbound  `json:"inbounds"`
	Outbounds []Outbound `json:"outbounds,omitempty"`
	Rules     Rules      `json:"rules"`
	Limits    Limits     `json:"limits"`
	Use       Use        `json:"use"`
	Kernel    Kernel     `json:"kernel"`
	LogLevel  string     `json:"log_level"`
	Confined  []string   `json:"confined,omitempty"`
	Health    Health     `json:"health"`
}

// Inbound is one that is open.
type Inbound struct {
	Tag         string   `json:"tag"`
	Type        string   `json:"type"`
	Listen      string   `json:"listen"`
	Network     []string `json:"network"`
	Destination string   `json:"destination,omitempty"` // of a forward
}

// Outbound is one of the configuration.
type Outbound struct {
	Tag  string `json:"tag"`
	Type string `json:"type"`
	Up   bool   `json:"up"`
}

// Rules are those that divert traffic here.
type Rules struct {
	Installed bool     `json:"installed"` // by this sluice
	Effective bool     `json:"effective"` // as far as is known: nothing of them is missing, and nothing comes before them
	Findings  []string `json:"findings,omitempty"`
	Zones     []int    `json:"zones,omitempty"` // of conntrack, which they use
}

// Limits are bounds.
type Limits struct {
	Connections   int    `json:"connections"`
	Sessions      int    `json:"sessions"`
	SessionsBound string `json:"sessions_bound,omitempty"` // what makes them no more
	FDs           int    `json:"fds"`
	Pipes         int    `json:"pipes"`
}

// Use is what of them is in use, and what the process takes.
type Use struct {
	FDs         int     `json:"fds"`
	Pipes       int     `json:"pipes"`
	Memory      uint64  `json:"memory"` // bytes, resident
	CPU         float64 `json:"cpu"`    // seconds since the start
	Dialing     int     `json:"dialing"`
	Stalled     int     `json:"stalled"` // connections whose reader takes nothing
	MemoryShort bool    `json:"memory_short"`
}

// Kernel is what the kernel gives.
type Kernel struct {
	Release  string `json:"release"`
	GRO      bool   `json:"gro"` // of UDP
	GSO      bool   `json:"gso"`
	PipeSize int    `json:"pipe_size"` // bytes that were granted to a pipe last; 0: none was needed yet
}

// Health is whether sluice carries traffic, and could carry more.
type Health struct {
	Well   bool     `json:"well"`
	Causes []string `json:"causes,omitempty"` // why not
}

// Counters are what is counted since the start, by name; what is zero is there too.
type Counters struct {
	Time     time.Time         `json:"time"`
	Counters map[string]uint64 `json:"counters"`
}

// LogLevel is trace, debug, info, warn or error.
type LogLevel struct {
	Level string `json:"level"`
}

// Reloaded says what a reload has changed.
type Reloaded struct {
	Changes []string `json:"changes"`
}

// Draining says that the end has begun.
type Draining struct {
	Connections uint64  `json:"connections"` // that may finish
	Seconds     float64 `json:"seconds"`     // within
}

// Problem is an error, as RFC 9457 has it.
type Problem struct {
	Type   string `json:"type"` // about:blank
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
}

func (p *Problem) Error() string {
	if p.Detail != "" {
		return p.Detail
	}
	return p.Title
}
