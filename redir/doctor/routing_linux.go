package doctor

import (
	"fmt"
	"net"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"sluice/redir/rules"
)

// routing: the policy rule and the local route, sluice's own or made by hand.
func routing() Result {
	j := judge{name: "rule and route"}
	status, err := rules.ReadStatus()
	switch {
	case err != nil:
		j.find(Fail, err.Error(), "sluice doctor")
	case status.Foreign:
		j.find(Fail, "table inet "+rules.TableName+" is there and is not sluice's", "nft list table inet "+rules.TableName)
	case status.Installed && status.Owner != "operator" && !status.Living:
		j.find(Warn, "the rules were left by a sluice that is gone", "sluice rules remove")
	}
	for _, command := range status.Missing {
		j.find(Fail, "missing of sluice's own rules", command)
	}
	for _, f := range status.Faults {
		j.find(Fail, f.Family+": "+f.What, f.Remedy)
	}
	if status.Installed || len(j.details) > 0 {
		return j.result("sluice's own: " + strings.TrimPrefix(status.Policy+" ", " "))
	}
	for _, family := range []family{{unix.AF_INET, "ip"}, {unix.AF_INET6, "ip -6"}} {
		family.byHand(&j)
	}
	return j.result("made by hand, both families")
}

// family is an address family and the command that shows its routing.
type family struct {
	number int
	ip     string
}

// byHand looks for rules by fwmark that lead to a table in which everything is
// local.
func (f family) byHand(j *judge) {
	all, err := netlink.RuleList(f.number)
	if err != nil {
		return
	}
	var empty []netlink.Rule
	for _, rule := range all {
		if rule.Mark == 0 || rule.Table == unix.RT_TABLE_MAIN || rule.Invert {
			continue
		}
		here, others := localDefault(f.number, rule.Table)
		if here {
			return
		}
		if others { // a VPN's, say
			continue
		}
		empty = append(empty, rule)
	}
	for _, rule := range empty {
		j.find(Warn, fmt.Sprintf("%s rule %d: fwmark %#x leads to table %d, which has no local default route", f.ip, rule.Priority, rule.Mark, rule.Table),
			fmt.Sprintf("%s route add local default dev lo table %d", f.ip, rule.Table))
	}
	if len(empty) == 0 {
		j.find(Warn, "no rules are installed ("+f.ip+" rule)", "sluice rules install --port 12345")
	}
}

// localDefault tells whether everything is local in the table, or else
// whether it serves something else.
func localDefault(family, table int) (here, others bool) {
	routes, err := netlink.RouteListFiltered(family, &netlink.Route{Table: table}, netlink.RT_FILTER_TABLE)
	if err != nil {
		return false, false
	}
	for _, route := range routes {
		if route.Type == unix.RTN_LOCAL && everything(route.Dst) {
			return true, false
		}
	}
	return false, len(routes) > 0
}

func everything(dst *net.IPNet) bool {
	if dst == nil {
		return true
	}
	ones, _ := dst.Mask.Size()
	return ones == 0
}
