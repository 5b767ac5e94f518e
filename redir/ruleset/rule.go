package ruleset

import (
	"sluice/redir/domain"
	"sluice/redir/prefix"
)

// Mode is how a rule is made of others.
type Mode uint8

// The modes of rules.
const (
	Plain Mode = iota // it is not: it has conditions of its own
	And               // each of its rules matches
	Or                // one of its rules matches
)

// Rule matches some flows. It is never changed.
type Rule struct {
	Mode       Mode
	Conditions        // of a plain one
	Rules      []Rule // of the others, one at least
	Invert     bool   // it matches the flows that it would not match
}

// Conditions are what a plain rule says of a flow. A nil or empty one says nothing.
type Conditions struct {
	Networks    Networks
	Sources     *prefix.Set // of the client's address
	SourcePorts Ports
	Names       *domain.Set // of the name or of the address:
	Dests       *prefix.Set // one of both has to match
	DestPorts   Ports
}

func (c *Conditions) isEmpty() bool {
	return c.Networks == 0 && c.Sources == nil && c.SourcePorts == nil && c.Names == nil && c.Dests == nil && c.DestPorts == nil
}

// Networks are those that a rule matches; none of them says nothing.
type Networks uint8

// The networks, as bits.
const (
	TCP Networks = 1 << iota
	UDP
)

// Contain reports whether the network, TCP or UDP, is one of them.
func (n Networks) Contain(network Networks) bool { return n == 0 || n&network != 0 }
