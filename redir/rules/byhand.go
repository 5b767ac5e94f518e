package rules

import (
	"fmt"
	"slices"
	"strings"
)

// handRule is one nftables rule of whatever table, as far as it matters here:
// iptables-nft's rules are such, with the expressions of xtables.
type handRule struct {
	family       byte // NFPROTO_*: inet 1, ip 2, ip6 10
	table, chain string
	handle       uint64
	comment      string
	jumps        []string // chains that it jumps or goes to
	delivers     *delivery
}

// delivery is what a TPROXY or REDIRECT does with a packet.
type delivery struct {
	via        Via
	port       uint16
	proto      byte   // 0: not told
	iface      string // of what arrives there alone; empty: not told
	mark, mask uint32
}

// The families of tables, linux/netfilter.h NFPROTO_*.
const (
	familyInet = 1
	// chainsPrefix is the chain that print makes for iptables, and begins the names
	// of its others,
	// but for the kernel document's DIVERT.
	chainsPrefix = "SLUICE"
	chainDivert  = "DIVERT"
	// handComment marks what print appends to chains that are not its own.
	handComment = "sluice"
)

// ownTable tells whether the rule is in the table that nft text makes.
func (r handRule) ownTable() bool {
	return r.family == familyInet && (r.table == TableName || r.table == StepTable)
}

// printed tells whether the rule is surely what print wrote for iptables: in
// one of its chains, or appended to the system's with a comment or a jump there.
func (r handRule) printed() bool {
	if r.family != familyIPv4 && r.family != familyIPv6 || r.table != "mangle" && r.table != "nat" {
		return false
	}
	if strings.HasPrefix(r.chain, chainsPrefix) || r.comment == handComment {
		return true
	}
	for _, name := range r.jumps {
		if strings.HasPrefix(name, chainsPrefix) {
			return true
		}
	}
	return false
}

// where is the chain as the tools name it.
func (r handRule) where() string {
	switch r.family {
	case familyIPv4, familyIPv6:
		// what iptables-nft made and what nft made look alike there
		tables := " raw mangle nat filter security "
		if strings.Contains(tables, " "+r.table+" ") && strings.ToUpper(r.chain) == r.chain {
			return map[byte]string{familyIPv4: "iptables", familyIPv6: "ip6tables"}[r.family] + " -t " + r.table + " chain " + r.chain
		}
		return "table " + map[byte]string{familyIPv4: "ip", familyIPv6: "ip6"}[r.family] + " " + r.table + " chain " + r.chain
	}
	return "table inet " + r.table + " chain " + r.chain
}

// Delivery is a rule in an nftables table of whatever owner, those of
// iptables-nft included, that hands packets to a port of this machine.
type Delivery struct {
	Where string `json:"where"` // table and chain, as the tools name them
	Via   Via    `json:"via"`
	Port  uint16 `json:"port"`
	Mark  uint32 `json:"mark,omitempty"` // that it sets
	Mask  uint32 `json:"mask,omitempty"`
}

func (d Delivery) String() string {
	text := fmt.Sprintf("%s: %s to port %d", d.Where, d.Via, d.Port)
	if d.Port == 0 {
		text = fmt.Sprintf("%s: %s to the same port, or one that a map names", d.Where, d.Via)
	}
	if d.Mark != 0 {
		text += fmt.Sprintf(", mark %#x/%#x", d.Mark, d.Mask)
	}
	return text
}

// deliveries are where rules stand and what they do, each once.
func deliveries(rules []handRule) []Delivery {
	var all []Delivery
	for _, r := range rules {
		d := Delivery{r.where(), r.delivers.via, r.delivers.port, r.delivers.mark, r.delivers.mask}
		if !slices.Contains(all, d) {
			all = append(all, d)
		}
	}
	return all
}

// byHand is what of all rules was not written by Install or Apply.
type byHand struct {
	printed []handRule // surely what print wrote, pasted
	others  []handRule // others that deliver to a port
}

func sortByHand(all []handRule) byHand {
	var found byHand
	for _, r := range all {
		switch {
		case r.ownTable():
		case r.printed():
			found.printed = append(found.printed, r)
		case r.delivers != nil:
			found.others = append(found.others, r)
		}
	}
	return found
}

// delivering are the printed rules that deliver.
func (b byHand) delivering() []handRule {
	var rules []handRule
	for _, r := range b.printed {
		if r.delivers != nil {
			rules = append(rules, r)
		}
	}
	return rules
}
