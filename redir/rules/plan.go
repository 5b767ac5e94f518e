package rules

import (
	"fmt"
	"time"
)

// TableName is the one nftables table of sluice, in family inet.
const TableName = "sluice"

// StepTable stands in for the table while that is replaced, and always where
// the kernel can own a table but not keep it behind a dead process.
const StepTable = TableName + "-step"

// RouteProtocol marks routes and policy rules as ours (rtm_protocol, and
// FRA_PROTOCOL since Linux 4.17). iproute2's rt_protos lists no 115.
const RouteProtocol = 115

// Plan is what a Spec comes to, as data: nothing in it was asked of a kernel.
type Plan struct {
	Spec    Spec // defaults filled in
	table   table
	policy  *policy // nil for Redirect, which needs no routing
	sysctls []Sysctl
}

// policy is the policy rule and the local route, alike for both families.
type policy struct {
	mark, mask uint32
	table      int
	priority   uint32 // of the rule, where nobody stands in the way
	in         arrival
	source     bool   // with the source rule
	back       marks  // of what the gateway's own servers answer to clients' addresses; mask 0: none
	install    string // command that installs the rules anew
}

// arrival is how diverted packets come to the policy rule.
type arrival struct {
	ifaces  []string // none: every interface but lo
	output  bool     // through lo too, since the gateway's own are diverted
	returns bool     // by any other too, since foreign addresses are answered
}

// marks are a mark and the bits of it that count.
type marks struct{ mark, mask uint32 }

func (m marks) String() string { return fmt.Sprintf("%#x/%#x", m.mark, m.mask) }

// table is the nftables table.
type table struct {
	counters []string
	sets     []set
	chains   []chain
}

// set is a named set. Elements are disjoint and ordered. One whose members live
// for a time is filled by packets, with so many at most. One with spans is constant:
// the kernel keeps everybody from changing it while a rule names it
// (nf_tables_newsetelem, nf_tables_delsetelem: NFT_SET_CONSTANT, EBUSY).
type set struct {
	name     string
	kind     setKind
	interval bool
	live     time.Duration
	most     uint32
	elements []element
	spans    spans  // instead, of one that never changes
	sum      string // of spans
}

// setKind is nft's name of a set's type.
type setKind string

const (
	kindIface setKind = "ifname"
	kindPort  setKind = "inet_service"
	kindIPv4  setKind = "ipv4_addr"
	kindIPv6  setKind = "ipv6_addr"
	kindUID   setKind = "uid"
	kindFlow4 setKind = "ipv4_addr . inet_service . ipv4_addr . inet_service"
	kindFlow6 setKind = "ipv6_addr . inet_service . ipv6_addr . inet_service"
)

// element is one member of a set, or the inclusive interval first to last,
// both as the kernel's key bytes.
type element struct {
	text        string
	first, last []byte
}

// chain is a chain; without a hook no packet visits it.
type chain struct {
	name     string
	kind     string // filter, route or nat
	hook     string // prerouting, forward, output or postrouting; empty for those that others jump to
	priority int
	rules    [][]term
}

// NewPlan checks the Spec and works out what it comes to. The error names the
// setting that cannot be and its remedy.
func NewPlan(spec Spec) (*Plan, error) {
	spec = spec.withDefaults()
	if err := spec.validate(); err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	plan := &Plan{Spec: spec, sysctls: sysctlsFor(spec)}
	if spec.Via == TProxy || spec.routed() {
		plan.policy = &policy{mark: spec.Mark, mask: spec.Mask, table: spec.Table, priority: uint32(*spec.RulePriority),
			in: spec.arrival(), source: !spec.Output, back: spec.back()}
	}
	plan.table = table{
		counters: countersFor(spec),
		sets:     setsFor(spec),
		chains:   chainsFor(spec),
	}
	return plan, nil
}

// withFacts is the table with its facts chain filled.
func (p *Plan) withFacts(facts Facts) table {
	full := p.table
	full.chains = append([]chain{facts.chain()}, p.table.chains...)
	return full
}

// facts of the plan itself, for an owner and the sysctls it has changed.
func (p *Plan) facts(owner string, changed []Changed) Facts {
	count := 0
	for _, c := range p.table.chains {
		count += len(c.rules)
	}
	return Facts{Owner: owner, Rules: count, TCPPort: p.Spec.TCPPort, UDPPort: p.Spec.UDPPort, Ifaces: p.Spec.Ifaces,
		Ways: p.Spec.Ways, Listeners: p.Spec.Listeners, Decisions: len(p.Spec.Decisions), Policy: p.policy, In: p.Spec.arrival(), Back: p.Spec.back(), Sysctls: changed}
}

// mortal tells whether the table has to end with the process. REDIRECT and
// the marks of the output chain cannot ask whether anybody listens, so to fail
// open they must not be there.
func (p *Plan) mortal() bool {
	return p.Spec.Fail == Open && (p.Spec.Via == Redirect || p.Spec.Output)
}
