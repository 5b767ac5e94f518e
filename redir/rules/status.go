package rules

import (
	"fmt"
	"strings"

	"sluice/redir/quote"
)

// Status is what is there of the rules.
type Status struct {
	Installed bool       `json:"installed"`
	Foreign   bool       `json:"foreign"` // a table of this name that is not ours
	Owner     string     `json:"owner,omitempty"`
	Living    bool       `json:"living"` // its owner runs
	Owned     bool       `json:"owned"`  // the kernel keeps others from changing or flushing it
	TCPPort   uint16     `json:"tcp_port,omitempty"`
	UDPPort   uint16     `json:"udp_port,omitempty"`
	Ways      []Way      `json:"ways,omitempty"`
	Listeners []Listener `json:"listeners,omitempty"`
	Decisions int        `json:"decisions,omitempty"` // by which the kernel forwards some of it
	Policy    string     `json:"policy,omitempty"`
	Table     int        `json:"table,omitempty"`    // routing table
	Missing   []string   `json:"missing,omitempty"`  // commands that would add what is not there
	Faults    []Fault    `json:"faults,omitempty"`   // of the routing: what takes diverted packets elsewhere
	Leftover  []string   `json:"leftover,omitempty"` // rules and routes without a table
	Pasted    []Delivery `json:"pasted,omitempty"`   // iptables rules that rules print wrote
	Others    []Delivery `json:"others,omitempty"`   // rules that are not sluice's and deliver to a port too
	Unseen    []string   `json:"unseen,omitempty"`   // commands that show what cannot be seen from here
	Counters  []Counter  `json:"counters,omitempty"`
	Sysctls   []Changed  `json:"sysctls,omitempty"`
}

// Complete tells whether all that should be there is.
func (s Status) Complete() bool { return s.Installed && len(s.Missing)+len(s.Faults) == 0 }

// String is one line for each thing, whatever others call it.
func (s Status) String() string {
	var b strings.Builder
	line := func(format string, args ...any) { b.WriteString(quote.Line(fmt.Sprintf(format, args...)) + "\n") }
	switch {
	case s.Foreign:
		line("table inet %s: there, but not sluice's", TableName)
	case !s.Installed:
		line("not installed")
	case s.Table == 0 && s.Owner == ownerOperator && len(s.Counters) == 0:
		line("iptables rules: installed by hand, to stay")
	default:
		line("table inet %s: installed by %s", TableName, s.who())
		if s.Owned {
			line("owned: no other program can change or flush it")
		}
	}
	for _, w := range s.Ways {
		line("way: %s", w)
	}
	for _, l := range s.Listeners {
		line("listener: %s", l)
	}
	if s.Decisions > 0 {
		line("decisions: %d, by which the kernel forwards some of it", s.Decisions)
	}
	if s.Policy != "" {
		line("routing: %s", s.Policy)
	}
	for _, text := range s.Missing {
		line("missing: %s", text)
	}
	for _, f := range s.Faults {
		line("fault: %s", f)
	}
	for _, text := range s.Leftover {
		line("left over: %s (sluice rules remove)", text)
	}
	for _, text := range s.Pasted {
		line("pasted: %s", text)
	}
	for _, text := range s.Others {
		line("not sluice's, delivers too: %s", text)
	}
	for _, text := range s.Unseen {
		line("cannot be seen from here: what %s shows", text)
	}
	for _, c := range s.Counters {
		line("%s: %d packets, %d bytes", c.Name, c.Packets, c.Bytes)
	}
	for _, c := range s.Sysctls {
		line("sysctl %s: was %s, now %s", sysctlName(c.Name), c.Was, c.Now)
	}
	return b.String()
}

func (s Status) who() string {
	switch {
	case s.Owner == ownerOperator:
		return "hand, to stay"
	case s.Living:
		return "a running sluice (" + s.Owner + ")"
	}
	return "a sluice that is gone (" + s.Owner + "): sluice rules remove"
}
