package rules

import (
	"fmt"
	"strings"
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

// String is one line for each thing.
func (s Status) String() string {
	var b strings.Builder
	switch {
	case s.Foreign:
		fmt.Fprintf(&b, "table inet %s: there, but not sluice's\n", TableName)
	case !s.Installed:
		b.WriteString("not installed\n")
	case s.Table == 0 && len(s.Pasted) > 0 && len(s.Counters) == 0:
		b.WriteString("iptables rules: installed by hand, to stay\n")
	default:
		fmt.Fprintf(&b, "table inet %s: installed by %s\n", TableName, s.who())
		if s.Owned {
			b.WriteString("owned: no other program can change or flush it\n")
		}
	}
	if s.Policy != "" {
		fmt.Fprintf(&b, "routing: %s\n", s.Policy)
	}
	for _, line := range s.Missing {
		fmt.Fprintf(&b, "missing: %s\n", line)
	}
	for _, f := range s.Faults {
		fmt.Fprintf(&b, "fault: %s\n", f)
	}
	for _, line := range s.Leftover {
		fmt.Fprintf(&b, "left over: %s (sluice rules remove)\n", line)
	}
	for _, line := range s.Pasted {
		fmt.Fprintf(&b, "pasted: %s\n", line)
	}
	for _, line := range s.Others {
		fmt.Fprintf(&b, "not sluice's, delivers too: %s\n", line)
	}
	for _, line := range s.Unseen {
		fmt.Fprintf(&b, "cannot be seen from here: what %s shows\n", line)
	}
	for _, c := range s.Counters {
		fmt.Fprintf(&b, "%s: %d packets, %d bytes\n", c.Name, c.Packets, c.Bytes)
	}
	for _, c := range s.Sysctls {
		fmt.Fprintf(&b, "sysctl %s: was %s, now %s\n", sysctlName(c.Name), c.Was, c.Now)
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
