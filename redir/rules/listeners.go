package rules

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Listener is an address and port that sluice listens on, with IP_TRANSPARENT,
// and that the gateway need not have: what is routed here and goes there is
// delivered, at whichever interface it arrives.
type Listener struct {
	Addr netip.AddrPort `json:"addr"`
	TCP  bool           `json:"tcp"`
	UDP  bool           `json:"udp"`
}

// ParseListener reads "222.173.190.239:51966", "[2001:db8::5]:53,udp".
func ParseListener(text string) (Listener, error) {
	host, rest, networked := strings.Cut(text, ",")
	addr, err := netip.ParseAddrPort(host)
	l := Listener{netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port()), true, true}
	if networked && err == nil {
		var networks [2]bool
		_, networks, err = parseTarget("1," + rest)
		l.TCP, l.UDP = networks[0], networks[1]
	}
	if err != nil {
		return Listener{}, fmt.Errorf("listener %q: want an address and port, as 192.0.2.1:443, [2001:db8::1]:443 or 192.0.2.1:53,udp", text)
	}
	return l, nil
}

// String is what ParseListener reads.
func (l Listener) String() string { return l.Addr.String() + networksText(l.TCP, l.UDP) }

func (l Listener) protos() []byte {
	return slices.DeleteFunc([]byte{protoTCP, protoUDP}, func(proto byte) bool {
		return proto == protoTCP && !l.TCP || proto == protoUDP && !l.UDP
	})
}

func (l Listener) family() byte {
	if l.Addr.Addr().Is4() {
		return familyIPv4
	}
	return familyIPv6
}

// endpoint matches an address and port as a packet's destination, or as its
// source.
type endpoint struct {
	addr  netip.AddrPort
	proto byte
	from  bool
}

func (t endpoint) nft() string {
	header, side := "ip", "d"
	if t.addr.Addr().Is6() {
		header = "ip6"
	}
	if t.from {
		side = "s"
	}
	return fmt.Sprintf("%s %saddr %s %s %sport %d", header, side, t.addr.Addr(), protoName(t.proto), side, t.addr.Port())
}

// addressed are the matches of what goes to each listener, by whatever
// interface but lo, through which comes nothing from elsewhere.
func addressed(s Spec) (matches [][]term) {
	for _, l := range s.Listeners {
		for _, proto := range l.protos() {
			matches = append(matches, []term{ifaceIs{"lo", true}, endpoint{l.Addr, proto, false}})
		}
	}
	return matches
}

// listening delivers what goes to listeners. SYNs too: no tproxy waits for
// them, and a socket in TIME_WAIT finds the listener, whose port is theirs
// (tcp_v4_rcv, TCP_TW_SYN). Where nobody listens, open leaves it to the routing
// tables, which lead to whoever has the address.
func listening(s Spec) (rules [][]term) {
	for _, match := range addressed(s) {
		rules = append(rules, slices.Concat(match, []term{transparentSocket{}, setMark{s.Mark, s.Mask}, countIn{countListened}, accept}))
		if s.Fail == Closed {
			rules = append(rules, slices.Concat(match, []term{countIn{countRefused}, drop}))
		}
	}
	return rules
}

// listeningAgain marks it a second time (last).
func listeningAgain(s Spec) (rules [][]term) {
	for _, match := range addressed(s) {
		rules = append(rules, slices.Concat(match, []term{transparentSocket{}, setMark{s.Mark, s.Mask}, accept}))
	}
	return rules
}

// listeningUntracked keeps it from the connection tracker, and listenersUntracked
// the answers.
func listeningUntracked(s Spec) (rules [][]term) {
	for _, match := range addressed(s) {
		rules = append(rules, slices.Concat(match, []term{transparentSocket{}, noTrack{}, accept}))
	}
	return rules
}

func listenersUntracked(s Spec) (rules [][]term) {
	for _, l := range s.Listeners {
		for _, proto := range l.protos() {
			rules = append(rules, []term{endpoint{l.Addr, proto, true}, noTrack{}, accept})
		}
	}
	return rules
}

// lastOfListeners is last where nothing is diverted by tproxy.
func lastOfListeners(s Spec) chain {
	c := chain{name: "last", kind: "filter", hook: "prerouting", priority: priorityLast}
	c.add([]term{markIs{s.Mark, s.Mask}, goBack})
	c.add(errorsOf(chainAgain)...)
	c.add(listeningAgain(s)...)
	return c
}

// withListeners is the Spec with each listener once, in order.
func (s Spec) withListeners() Spec {
	var all []Listener
	for _, l := range s.Listeners {
		if i := slices.IndexFunc(all, func(other Listener) bool { return other.Addr == l.Addr }); i >= 0 {
			all[i].TCP, all[i].UDP = all[i].TCP || l.TCP, all[i].UDP || l.UDP
			continue
		}
		all = append(all, l)
	}
	slices.SortFunc(all, func(a, b Listener) int { return a.Addr.Compare(b.Addr) })
	s.Listeners = all
	return s
}

func checkListeners(s Spec) error {
	for _, l := range s.Listeners {
		addr := l.Addr.Addr()
		switch {
		case !addr.IsGlobalUnicast() || addr.Is4In6() || addr.Zone() != "":
			return fmt.Errorf("listener %s: no address that traffic could be routed here for: want one as 192.0.2.1 or 2001:db8::1", l.Addr)
		case l.Addr.Port() == 0 || !l.TCP && !l.UDP:
			return fmt.Errorf("listener %s: want a port from 1 to 65535, and tcp, udp or both, as 192.0.2.1:443", l.Addr)
		}
	}
	return nil
}

// listening writes for iptables what listening and, since it fails closed,
// nobody does.
func (b *script) listening(s Spec) {
	for _, match := range b.addressed(s) {
		b.line("-A PREROUTING ! -i lo%s -m socket --transparent -j DIVERT", match)
		b.line("-A PREROUTING ! -i lo%s -j DROP", match)
	}
}

// notListening keeps it from being redirected.
func (b *script) notListening(s Spec, chain string) {
	for _, match := range b.addressed(s) {
		b.line("-A %s%s -j RETURN", chain, match)
	}
}

func (b *script) addressed(s Spec) (matches []string) {
	for _, l := range s.Listeners {
		for _, proto := range l.protos() {
			if l.family() == b.family {
				matches = append(matches, fmt.Sprintf(" -d %s -p %s --dport %d", l.Addr.Addr(), protoName(proto), l.Addr.Port()))
			}
		}
	}
	return matches
}
