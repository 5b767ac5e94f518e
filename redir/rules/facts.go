package rules

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// factsChain is the chain whose rules' comments are the facts.
const factsChain = "facts"

// ownerOperator owns a table that was installed to stay, by Apply or by hand.
const ownerOperator = "operator"

// Changed is a sysctl that was changed, by its path below /proc/sys.
type Changed struct {
	Name string `json:"name"`
	Was  string `json:"was"`
	Now  string `json:"now"`
}

// Facts is what the table itself remembers.
type Facts struct {
	Owner            string   // "operator" or "pid 1234"
	TCPPort, UDPPort uint16   // where the packets go; 0: not diverted
	Ifaces           []string // by which what goes there arrives; none: any but lo
	Ways             []Way
	Listeners        []Listener
	Decisions        int // how many are asked
	Rules            int // how many there are in the chains that packets visit
	Policy           *policy
	In               arrival // the interfaces, and whether the gateway's own traffic is diverted
	Back             marks   // of what the gateway's own servers answer to clients' addresses
	Sysctls          []Changed
	Seal             string // of the plan and of what the kernel made of it, written last
}

// chain writes each fact as the comment of a rule.
func (f Facts) chain() chain {
	c := chain{name: factsChain}
	for _, text := range f.comments() {
		c.add([]term{goBack, commentTerm(text)})
	}
	return c
}

// comments writes each fact as a text. A comment has room for 127 bytes
// (NFTNL_UDATA_COMMENT_MAXLEN); the longest fact takes about 80.
func (f Facts) comments() (texts []string) {
	fact := func(format string, args ...any) { texts = append(texts, fmt.Sprintf(format, args...)) }
	fact("owner %s", f.Owner)
	fact("ports tcp %d udp %d", f.TCPPort, f.UDPPort)
	fact("rules %d", f.Rules)
	if f.Policy != nil {
		fact("policy %#x/%#x table %d priority %d", f.Policy.mark, f.Policy.mask, f.Policy.table, f.Policy.priority)
	}
	for _, name := range f.Ifaces {
		fact("iface %s", name)
	}
	for _, w := range f.Ways {
		for _, name := range w.Ifaces {
			fact("way %s", Way{Ifaces: []string{name}, Port: w.Port, TCP: w.TCP, UDP: w.UDP})
		}
	}
	for _, l := range f.Listeners {
		fact("listener %s", l)
	}
	if f.Decisions > 0 {
		fact("decisions %d", f.Decisions)
	}
	if f.In.output {
		fact("output too")
	}
	if f.In.returns {
		fact("returns too")
	}
	if f.Back.mask != 0 {
		fact("back %s", f.Back)
	}
	for _, s := range f.Sysctls {
		fact("sysctl %s was %s now %s", s.Name, s.Was, s.Now)
	}
	if f.Seal != "" {
		fact("seal %s", f.Seal)
	}
	return texts
}

// installCommand installs the rules anew, with the flags that are remembered.
func (f Facts) installCommand() string {
	command := "sluice rules install"
	switch {
	case f.TCPPort == 0 && f.UDPPort == 0:
	case f.TCPPort == 0:
		command += fmt.Sprintf(" --port %d --proto udp", f.UDPPort)
	case f.UDPPort == 0:
		command += fmt.Sprintf(" --port %d --proto tcp", f.TCPPort)
	default:
		command += fmt.Sprintf(" --port %d", f.TCPPort)
	}
	for _, name := range f.Ifaces {
		command += " --iface " + name
	}
	for _, w := range f.Ways {
		command += " --way " + w.String()
	}
	for _, l := range f.Listeners {
		command += " --listener " + l.String()
	}
	return command + " and the other flags as before"
}

// parseFacts reads comments back. It reports false when none names an owner,
// that is, when the table is not ours. Comments of other shapes are passed
// over; an unreadable fact is never acted upon.
func parseFacts(comments []string) (Facts, bool) {
	var facts Facts
	for _, comment := range comments {
		words := strings.Fields(comment)
		switch {
		case len(words) >= 2 && words[0] == "owner":
			facts.Owner = strings.Join(words[1:], " ")
		case len(words) == 5 && words[0] == "ports" && words[1] == "tcp" && words[3] == "udp":
			facts.TCPPort, _ = parsePort(words[2])
			facts.UDPPort, _ = parsePort(words[4])
		case len(words) == 2 && words[0] == "rules":
			facts.Rules, _ = strconv.Atoi(words[1])
		case len(words) == 4 && words[0] == "policy" && words[2] == "table": // before there were priorities
			facts.Policy = parsePolicy(words[1], words[3], strconv.Itoa(DefaultRulePriority))
		case len(words) == 6 && words[0] == "policy" && words[2] == "table" && words[4] == "priority":
			facts.Policy = parsePolicy(words[1], words[3], words[5])
		case len(words) == 2 && words[0] == "iface":
			facts.Ifaces = append(facts.Ifaces, words[1])
		case len(words) == 2 && words[0] == "way":
			facts.addWay(words[1])
		case len(words) == 2 && words[0] == "listener":
			if l, err := ParseListener(words[1]); err == nil {
				facts.Listeners = append(facts.Listeners, l)
			}
		case len(words) == 2 && words[0] == "decisions":
			facts.Decisions, _ = strconv.Atoi(words[1])
		case len(words) == 3 && words[0] == "seal":
			facts.Seal = words[1] + " " + words[2]
		case len(words) == 2 && words[0] == "output":
			facts.In.output = true
		case len(words) == 2 && words[0] == "returns":
			facts.In.returns = true
		case len(words) == 2 && words[0] == "back":
			facts.Back, _ = parseMarks(words[1])
		case len(words) == 6 && words[0] == "sysctl" && words[2] == "was" && words[4] == "now":
			if sane(words[1], words[3]) {
				facts.Sysctls = append(facts.Sysctls, Changed{words[1], words[3], words[5]})
			}
		}
	}
	facts.In.ifaces = Spec{TCPPort: facts.TCPPort, UDPPort: facts.UDPPort, Ifaces: facts.Ifaces, Ways: facts.Ways}.Ingress()
	if facts.Policy != nil {
		facts.Policy.in, facts.Policy.source, facts.Policy.back, facts.Policy.install = facts.In, !facts.In.output, facts.Back, facts.installCommand()
	}
	return facts, facts.Owner != ""
}

// addWay takes a fact of one interface, which may be one of the last way's.
func (f *Facts) addWay(text string) {
	w, err := ParseWay(text)
	if err != nil {
		return
	}
	if last := len(f.Ways) - 1; last >= 0 && f.Ways[last].Port == w.Port && f.Ways[last].TCP == w.TCP && f.Ways[last].UDP == w.UDP {
		f.Ways[last].Ifaces = append(f.Ways[last].Ifaces, w.Ifaces...)
		return
	}
	f.Ways = append(f.Ways, w)
}

func parsePolicy(fwmark, number, place string) *policy {
	m, err1 := parseMarks(fwmark)
	n, err2 := strconv.Atoi(number)
	priority, err3 := strconv.ParseUint(place, 10, 32)
	if err1 != nil || err2 != nil || err3 != nil {
		return nil
	}
	return &policy{mark: m.mark, mask: m.mask, table: n, priority: uint32(priority)}
}

// parseMarks reads "0x1/0x1".
func parseMarks(text string) (marks, error) {
	mark, mask, _ := strings.Cut(text, "/")
	m, err1 := strconv.ParseUint(mark, 0, 32)
	k, err2 := strconv.ParseUint(mask, 0, 32)
	if err := errors.Join(err1, err2); err != nil {
		return marks{}, err
	}
	return marks{uint32(m), uint32(k)}, nil
}

// sane keeps a comment from having any file written but a network sysctl, or
// anything but a number put there.
func sane(name, value string) bool {
	_, err := strconv.Atoi(value)
	return err == nil && strings.HasPrefix(name, "net/") && !strings.Contains(name, "..")
}
