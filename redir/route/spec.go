package route

import (
	"fmt"
	"net/netip"

	"sluice/redir/ruleset"
)

// Spec is what an operator says of routes.
type Spec struct {
	Rules []Rule
	Sets  []SetSpec // rule sets, which rules name by tag
	Final string    // tag of an outbound; "": the first one's
}

// Before is the spec with rules that come before its own.
func (s Spec) Before(rules ...Rule) Spec {
	s.Rules = append(rules[:len(rules):len(rules)], s.Rules...)
	return s
}

// Name is how a rule is called: by the flag that it comes from, or by its place in the
// file.
func (s *Spec) Name(rule int) string {
	if from := s.Rules[rule].From; from != "" {
		return from
	}
	before := 0
	for _, r := range s.Rules[:rule] {
		if r.From != "" {
			before++
		}
	}
	return fmt.Sprintf("route.rules[%d]", rule-before)
}

// Tags of outbounds that are there without being written: what a rule rejects takes
// them.
const (
	Reset = "(reject)" // it is refused
	Drop  = "(drop)"   // it gets no answer
)

// Rule is conditions and what becomes of flows that meet them.
type Rule struct {
	Conditions
	Outbound string // tag; "": that of Final
	Port     uint16 // instead of the destination's own; 0: that
	From     string // the flag that says it, as "--block 192.0.2.0/24"; "": the file
}

// Conditions are what is asked of a flow. They stand in groups: the destination's
// address or name (Domains to Sets), its port, the client's address, its port; and
// each other field is a group of its own. A flow meets the conditions if each group
// holds one that it meets, or is empty.
//
// What a rule set says is merged into the groups (sing-box's meaning): a network in
// a rule set stands beside the Prefixes here.
type Conditions struct {
	Domains  []string // the name itself
	Suffixes []string // the name itself and those below; with a dot before, those below alone
	Keywords []string // a part of the name
	Prefixes []netip.Prefix
	Private  bool // an address of a private network, of the machine or of a link
	Sets     []string

	Ports []ruleset.PortRange

	Sources       []netip.Prefix
	SourcePrivate bool

	SourcePorts []ruleset.PortRange

	Inbounds []string // tags
	Networks Network  // both or none: any
	MACs     []MAC    // the client's, as the neighbour table has it
	Times    []Time

	// Logical conditions are those of others, and none of the fields above.
	Mode  Mode
	Rules []Conditions

	Invert bool // met by flows that do not meet the rest
}

// Mode is how logical conditions are joined.
type Mode uint8

const (
	NotLogical Mode = iota
	And
	Or
)

func (m Mode) String() string { return [...]string{"default", "and", "or"}[m] }

// SetSpec is a rule set: a file of networks and names.
type SetSpec struct {
	Tag    string
	Format ruleset.Format
	Path   string
}
