package rules

import "fmt"

// Diverted is what of a packet decides how the kernel routes it once the
// rules have diverted it.
type Diverted struct {
	Mark, Mask uint32
	Table      int      // in which everything is local; 0: whichever the kernel looks it up in
	Ifaces     []string // by which it arrives; none: any but lo that is up
	Output     bool     // the gateway's own are diverted too
}

// Fault is what keeps diverted packets from being delivered here, or a part of
// them.
type Fault struct {
	Family string `json:"family"` // ip or ip -6
	What   string `json:"what"`
	Remedy string `json:"remedy"`
}

func (f Fault) String() string { return fmt.Sprintf("%s: %s  ->  %s", f.Family, f.What, f.Remedy) }
