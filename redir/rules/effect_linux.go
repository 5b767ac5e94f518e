package rules

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// asked are destinations that the kernel is asked about: documentation
// addresses (RFC 5737, RFC 3849), of which two, should one be the gateway's own.
var asked = map[int][]netip.Addr{
	unix.AF_INET:  {netip.MustParseAddr("198.51.100.77"), netip.MustParseAddr("203.0.113.77")},
	unix.AF_INET6: {netip.MustParseAddr("2001:db8:77::77"), netip.MustParseAddr("2001:db8:78::77")},
}

// JudgeRouting asks the kernel, for each family and ingress interface, how it
// routes a diverted packet, and names whatever else in the policy would take
// some of them. No fault: they are delivered here. It changes and sends
// nothing. An error says that it could not look.
func JudgeRouting(d Diverted) ([]Fault, error) {
	p := policy{mark: d.Mark, mask: d.Mask, table: d.Table, priority: DefaultRulePriority, in: arrival{d.Ifaces, d.Output, false},
		install: "use another table, which ip route show table N shows empty"}
	if p.table == 0 {
		var faults []Fault
		if faults, p.table = p.effect(); p.table == 0 {
			return faults, nil
		}
	}
	missing, faults, err := p.judge()
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	for _, command := range missing {
		family, _, _ := strings.Cut(command, " r") // route, rule
		if strings.HasPrefix(family, "ip") && !slices.ContainsFunc(faults, func(f Fault) bool { return f.Family == family }) {
			faults = append(faults, Fault{family, "a rule or route is missing", command})
		}
	}
	return faults, nil
}

// judge lists the commands that would add what is missing, and what else is
// wrong with the policy: first what stands in its place, and where all is there,
// what the kernel answers.
func (p policy) judge() (missing []string, faults []Fault, err error) {
	amiss, faults, err := p.amiss()
	var blocked *blockedError
	if err != nil && !errors.As(err, &blocked) {
		return nil, nil, err
	}
	if len(amiss.Missing)+len(faults) == 0 {
		faults, _ = p.effect()
	}
	return amiss.Missing, faults, nil
}

// effect asks the kernel about each family and each approach. table is where it
// found that a packet is to be delivered here.
func (p policy) effect() (faults []Fault, table int) {
	if all := p.in.approaches(unix.AF_INET6); len(all) > 0 && all[0].iface != nil && !slices.Contains(families(), unix.AF_INET6) {
		s := Sysctl{Name: "net/ipv6/conf/lo/disable_ipv6", Want: "0"}
		faults = append(faults, Fault{"ip -6", "IPv6 is off on lo, through which diverted packets are delivered, and on at " + all[0].iface.Name,
			s.Command() + "; " + s.Persistent()})
	}
	for _, family := range families() {
		for _, a := range p.in.approaches(family) {
			answer, fault := p.askFor(family, a)
			if fault != nil && !slices.Contains(faults, *fault) {
				faults = append(faults, *fault)
			}
			if fault == nil && answer.table != unix.RT_TABLE_LOCAL {
				table = int(answer.table)
			}
		}
	}
	return faults, table
}

// approach is how a packet comes to be routed: by an interface from a source that
// is plausible there or, without an interface, sent by the gateway.
type approach struct {
	iface *net.Interface
	from  netip.Addr // not valid in IPv6, where nobody checks it here
	own   netip.Addr // an address of the gateway on the interface, if it has one
}

// askFor is the kernel's answer, or what is wrong with it.
func (p policy) askFor(family int, w approach) (fibRoute, *Fault) {
	var answer fibRoute
	var err error
	var dest netip.Addr
	for _, dest = range asked[family] {
		answer, err = w.ask(family, dest, p.mark)
		if err != nil || answer.kind != unix.RTN_LOCAL || answer.table != unix.RT_TABLE_LOCAL {
			break
		}
	}
	if err == nil && answer.kind == unix.RTN_LOCAL {
		return answer, nil
	}
	if sourceRefused(err) && !w.own.IsValid() && w.iface != nil && family == unix.AF_INET {
		return answer, nil // or the source is, which nothing here can tell
	}
	if family == unix.AF_INET && err != nil && w.own.IsValid() {
		if _, plain := w.ask(family, w.own, 0); plain != nil {
			return answer, nil // whoever writes from there is refused anyway
		}
		if _, marked := w.ask(family, w.own, p.mark); marked != nil {
			return answer, w.sourceFollowsMark()
		}
	}
	said := routeKind(answer.kind)
	switch {
	case err != nil:
		said = errnoText(err)
	case answer.kind == unix.RTN_UNICAST:
		said = "forwarded: " + answer.body() + " table " + tableName(answer.table)
	}
	return answer, &Fault{familyName(family), fmt.Sprintf("a diverted packet%s is not delivered here but %s", w, said), w.command(family, dest, p.mark)}
}

// sourceRefused tells whether the error may be about the packet's source
// (ip_route_input_slow: martians, rp_filter).
func sourceRefused(err error) bool { return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EXDEV) }

func errnoText(err error) string {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return "refused: " + errno.Error()
	}
	return "refused: " + err.Error()
}

func (w approach) String() string {
	if w.iface == nil {
		return " of the gateway's own"
	}
	return " from " + w.iface.Name
}

// command shows the same answer to the operator.
func (w approach) command(family int, dest netip.Addr, mark uint32) string {
	command := fmt.Sprintf("%s rule; %[1]s route get %s mark %#x", familyName(family), dest, mark)
	if w.iface != nil {
		if w.from.IsValid() {
			command += " from " + w.from.String()
		}
		command += " iif " + w.iface.Name
	}
	return command
}

// sourceFollowsMark is the fault of src_valid_mark (see sysctlsFor).
func (w approach) sourceFollowsMark() *Fault {
	var remedies []string
	for _, where := range []string{"all", w.iface.Name} {
		s := Sysctl{Name: "net/ipv4/conf/" + where + "/src_valid_mark", Want: "0"}
		if value, ok := readSysctl(s.Name); ok && value != s.Want {
			remedies = append(remedies, s.Command()+"; "+s.Persistent())
		}
	}
	return &Fault{"ip", "the source check of " + w.iface.Name + " follows the mark (src_valid_mark) and drops every diverted packet",
		strings.Join(remedies, "; ")}
}

// ask is RTM_GETROUTE for one packet.
func (w approach) ask(family int, dest netip.Addr, mark uint32) (fibRoute, error) {
	bits := byte(dest.BitLen())
	request := make([]byte, unix.SizeofRtMsg)
	request[0], request[1] = byte(family), bits
	copy(request[8:], number(unix.RTM_F_LOOKUP_TABLE)) // name the table that answered
	request = append(request, attribute(unix.RTA_DST, dest.AsSlice())...)
	request = append(request, attribute(unix.RTA_MARK, number(mark))...)
	if w.iface != nil {
		request = append(request, attribute(unix.RTA_IIF, number(uint32(w.iface.Index)))...)
		if w.from.IsValid() {
			request[2] = bits
			request = append(request, attribute(unix.RTA_SRC, w.from.AsSlice())...)
		}
	}
	messages, err := routeRequest(unix.RTM_GETROUTE, 0, request)
	if err != nil {
		return fibRoute{}, err
	}
	if len(messages) != 1 {
		return fibRoute{}, fmt.Errorf("%d answers", len(messages))
	}
	return parseRoute(messages[0].Data)
}

// approachesAsked bounds what the kernel is asked on a host of many containers.
const approachesAsked = 32

// approaches lists those of a family. An interface that carries nothing of the
// family, or whose clients' addresses nobody can tell, is left out.
func (in arrival) approaches(family int) []approach {
	var all []approach
	if in.output {
		all = append(all, approach{})
	}
	ifaces, _ := net.Interfaces()
	for _, iface := range ifaces {
		if len(all) == approachesAsked {
			break
		}
		if iface.Flags&net.FlagUp == 0 || iface.Name == "lo" || !in.arrivesBy(iface.Name) || isVRF(iface.Name) {
			continue
		}
		w := approach{iface: &iface}
		if family == unix.AF_INET6 {
			if off, err := os.ReadFile(procSys + "net/ipv6/conf/" + iface.Name + "/disable_ipv6"); err != nil || strings.TrimSpace(string(off)) != "0" {
				continue
			}
		} else if w.own, w.from = neighbour(iface); !w.from.IsValid() {
			continue
		}
		all = append(all, w)
	}
	return all
}
