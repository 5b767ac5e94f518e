package firewall

import (
	"cmp"
	"slices"
)

// Hook is where in a packet's way a base chain stands (linux/netfilter.h).
type Hook int8

// The hooks; NoHook is a chain that packets reach by jumps alone.
const (
	NoHook      Hook = -1
	Prerouting  Hook = 0
	Input       Hook = 1
	Forward     Hook = 2
	Output      Hook = 3
	Postrouting Hook = 4
)

func (h Hook) String() string {
	if h < 0 || int(h) >= 5 {
		return "no hook"
	}
	return [...]string{"prerouting", "input", "forward", "output", "postrouting"}[h]
}

// Families of tables, as nftables numbers them (linux/netfilter.h).
const (
	familyINet = 1
	familyIPv4 = 2
	familyIPv6 = 10
)

// Ruleset is what was read. It does not change, so any number of goroutines
// may walk it.
type Ruleset struct {
	tables map[tableKey]*Table
	chains []*Chain // in the order of the dump
}

type tableKey struct {
	family byte
	name   string
}

// Table is a table of IPv4, IPv6 or both.
type Table struct {
	Name   string
	Owned  bool // by a program: nobody else may change it
	family byte
	chains map[string]*Chain
	sets   map[string]*set
}

// Family is nft's name of it.
func (t *Table) Family() string {
	return map[byte]string{familyINet: "inet", familyIPv4: "ip", familyIPv6: "ip6"}[t.family]
}

// Chain is a chain and its rules.
type Chain struct {
	Table    *Table
	Name     string
	Hook     Hook
	Priority int32
	Type     string // filter, nat or route
	Drops    bool   // its policy
	Rules    []*Rule
}

// String is family, table and name, as nft takes them.
func (c *Chain) String() string { return c.Table.Family() + " " + c.Table.Name + " " + c.Name }

// Rule is one rule. Its String is close to nft's text of it.
type Rule struct {
	Chain  *Chain
	Handle uint64
	exprs  []expression
}

// expression is an nftables expression by name, its attributes undecoded.
type expression struct {
	name string
	data []byte
}

func (e expression) number(kind uint16) uint64 { return number(e.data, kind) }

// At lists the chains of a hook that packets of the family pass, in their
// order. Where two have one priority, the kernel's order is that of their
// making, which a dump does not tell.
func (r *Ruleset) At(hook Hook, ipv6 bool) []*Chain {
	own := byte(familyIPv4)
	if ipv6 {
		own = familyIPv6
	}
	var at []*Chain
	for _, c := range r.chains {
		if c.Hook == hook && (c.Table.family == own || c.Table.family == familyINet) {
			at = append(at, c)
		}
	}
	slices.SortStableFunc(at, func(a, b *Chain) int { return cmp.Compare(a.Priority, b.Priority) })
	return at
}

// Diverts tells whether the chain, or one that it jumps to, hands packets to
// a listener: by tproxy, or by redirect.
func (c *Chain) Diverts() (tproxy, redirect bool) {
	visited := map[*Chain]bool{}
	var look func(*Chain)
	look = func(c *Chain) {
		if c == nil || visited[c] {
			return
		}
		visited[c] = true
		for _, r := range c.Rules {
			for _, e := range r.exprs {
				name := e.name
				if name == "target" {
					name = text(e.data, attrTargetName)
				}
				tproxy = tproxy || name == "tproxy" || name == "TPROXY"
				redirect = redirect || name == "redir" || name == "REDIRECT"
				if v, is := e.verdict(); is && v.chain != "" {
					look(c.Table.chains[v.chain])
				}
			}
		}
	}
	look(c)
	return tproxy, redirect
}

// HasChain tells whether the table has a chain of that name.
func (t *Table) HasChain(name string) bool { return t.chains[name] != nil }
