package doctor

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"sluice/redir/rules"
)

// priorityMangle is where sluice's rules are unless told otherwise.
const priorityMangle = -150 // NF_IP_PRI_MANGLE

// othersFirst looks for chains of others that see a packet before sluice's
// chain does and have a rule that takes it away.
func othersFirst() Result {
	j := judge{name: "rules of others"}
	conn := &nftables.Conn{}
	chains, err := conn.ListChains()
	if err != nil {
		j.find(Warn, fmt.Sprintf("not readable: %v", err), "sudo sluice doctor")
		return j.result("")
	}
	ours, installed := nftables.ChainPriority(priorityMangle), false
	for _, c := range chains {
		if isOurs(c) && atPrerouting(c) && (!installed || *c.Priority < ours) { // the last one only mends marks
			ours, installed = *c.Priority, true
		}
	}
	for _, c := range chains {
		switch {
		case at(c, unix.NF_INET_LOCAL_IN):
			input(&j, conn, c)
		case !isOurs(c) && atPrerouting(c) && *c.Priority <= ours:
			for _, taking := range takings(conn, c, map[string]bool{}) {
				if installed || !slices.Contains(diverting, taking) {
					j.find(Warn, fmt.Sprintf("chain %s comes first and %s", full(c), taking), "nft -a list chain "+full(c))
				}
			}
		}
	}
	legacy(&j)
	return j.result("none comes before sluice's")
}

// diverting is what rules made by hand do too, in sluice's place.
var diverting = []string{"marks", "redirects", "does MARK", "does TPROXY", "does REDIRECT"}

// input: diverted packets pass the input hook, as all that is for a socket here.
func input(j *judge, conn *nftables.Conn, c *nftables.Chain) {
	if dropsRest(c) && !acceptsMark(conn, c) {
		j.find(Warn, "chain "+full(c)+" drops what it does not accept, and diverted packets pass it",
			"nft insert rule "+full(c)+" meta mark and 0x1 == 0x1 accept")
	}
}

// full is family, table and name, as nft takes them.
func full(c *nftables.Chain) string {
	return familyName(c.Table.Family) + " " + c.Table.Name + " " + c.Name
}

func dropsRest(c *nftables.Chain) bool {
	return c.Policy != nil && *c.Policy == nftables.ChainPolicyDrop
}

func isOurs(c *nftables.Chain) bool {
	return c.Table.Name == rules.TableName && c.Table.Family == nftables.TableFamilyINet
}

// atPrerouting tells whether routed packets pass the chain at prerouting.
func atPrerouting(c *nftables.Chain) bool { return at(c, unix.NF_INET_PRE_ROUTING) }

func at(c *nftables.Chain, hook nftables.ChainHook) bool {
	return c.Hooknum != nil && c.Priority != nil && *c.Hooknum == hook && familyName(c.Table.Family) != ""
}

// acceptsMark tells whether a rule of the chain accepts packets by a mark, or
// by having been redirected (conntrack's status).
func acceptsMark(conn *nftables.Conn, c *nftables.Chain) bool {
	rules, _ := conn.GetRules(c.Table, c)
	for _, rule := range rules {
		marked, accepts := false, false
		for _, e := range rule.Exprs {
			switch e := e.(type) {
			case *expr.Meta:
				marked = marked || e.Key == expr.MetaKeyMARK && !e.SourceRegister
			case *expr.Ct:
				marked = marked || (e.Key == expr.CtKeySTATUS || e.Key == expr.CtKeyMARK) && !e.SourceRegister
			case *expr.Verdict:
				accepts = e.Kind == expr.VerdictAccept
			}
		}
		if marked && accepts {
			return true
		}
	}
	return false
}

// familyName is nft's name of a family of routed packets, else empty.
func familyName(f nftables.TableFamily) string {
	return map[nftables.TableFamily]string{
		nftables.TableFamilyINet: "inet", nftables.TableFamilyIPv4: "ip", nftables.TableFamilyIPv6: "ip6",
	}[f]
}

// takings lists what the chain, and those that it jumps to, do to packets
// that keeps them from sluice.
func takings(conn *nftables.Conn, c *nftables.Chain, visited map[string]bool) []string {
	if visited[c.Name] {
		return nil
	}
	visited[c.Name] = true
	rules, err := conn.GetRules(c.Table, c)
	if err != nil {
		return nil
	}
	var found []string
	add := func(taking string) {
		if !slices.Contains(found, taking) {
			found = append(found, taking)
		}
	}
	if dropsRest(c) {
		add("drops what it does not accept")
	}
	for _, rule := range rules {
		for _, e := range rule.Exprs {
			if v, isVerdict := e.(*expr.Verdict); isVerdict && v.Chain != "" {
				for _, taking := range takings(conn, &nftables.Chain{Table: c.Table, Name: v.Chain}, visited) {
					add(taking)
				}
			} else if taking := taking(e); taking != "" {
				add(taking)
			}
		}
	}
	return found
}

// taking says what an expression does. The library does not decode nft's own
// tproxy, but whoever uses that sets a mark beside it.
func taking(e expr.Any) string {
	switch e := e.(type) {
	case *expr.Redir:
		return "redirects"
	case *expr.NAT:
		if e.Type == expr.NATTypeDestNAT {
			return "rewrites destinations"
		}
	case *expr.Queue:
		return "queues"
	case *expr.Verdict:
		if e.Kind == expr.VerdictDrop {
			return "drops"
		}
	case *expr.Meta:
		if e.SourceRegister && e.Key == expr.MetaKeyMARK {
			return "marks"
		}
	case *expr.Target:
		if strings.Contains(" TPROXY REDIRECT DNAT MARK DROP NFQUEUE ", " "+e.Name+" ") {
			return "does " + e.Name
		}
	}
	return ""
}

// legacy iptables is not visible through nftables; its tables are named here
// once somebody has used them.
func legacy(j *judge) {
	for file, command := range map[string]string{"ip_tables_names": "iptables-legacy", "ip6_tables_names": "ip6tables-legacy"} {
		names, _ := os.ReadFile("/proc/thread-self/net/" + file)
		for name := range strings.FieldsSeq(string(names)) {
			if name == "mangle" || name == "raw" {
				j.find(Warn, "legacy iptables has a "+name+" table, which may come first", command+" -t "+name+" -S PREROUTING")
			}
		}
	}
}
