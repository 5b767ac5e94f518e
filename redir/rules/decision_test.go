package rules

import (
	"bytes"
	"iter"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// addrs is a set of networks.
func addrs(texts ...string) *Addrs { return NewAddrs(rangesOf(prefixes(texts...))) }

func rangesOf(all []netip.Prefix) iter.Seq2[netip.Addr, netip.Addr] {
	return func(yield func(low, high netip.Addr) bool) {
		for _, p := range all {
			last, _ := netip.AddrFromSlice(prefixElement(p).last)
			if !yield(p.Addr(), last) {
				return
			}
		}
	}
}

// TestAddrs: ranges in any order become those that a naive scan finds, none
// touches another, and equal sets have equal digests.
func TestAddrs(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var all []netip.Prefix
		for range random.IntN(20) {
			all = append(all, netip.PrefixFrom(netip.AddrFrom4([4]byte{0: []byte{0, 10, 255}[random.IntN(3)], 3: byte(random.IntN(256))}), 24+random.IntN(9)).Masked())
			all = append(all, netip.PrefixFrom(netip.AddrFrom16([16]byte{0: []byte{0, 0x20, 255}[random.IntN(3)], 15: byte(random.IntN(256))}), 120+random.IntN(9)).Masked())
		}
		a := NewAddrs(rangesOf(all))
		for i := range 256 {
			for _, addr := range []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), netip.AddrFrom16([16]byte{0: 255, 15: byte(i)})} {
				want := slices.ContainsFunc(all, func(p netip.Prefix) bool { return p.Contains(addr) })
				if a.contains(addr) != want {
					t.Fatalf("%s in %v: %v", addr, all, !want)
				}
			}
		}
		for _, s := range []spans{a.v4, a.v6} {
			for i := 1; i < s.Len(); i++ {
				_, before := s.at(i - 1)
				first, _ := s.at(i)
				if next, _ := after(before); bytes.Compare(next, first) >= 0 {
					t.Fatalf("%s touches %s", s.text(i-1), s.text(i))
				}
			}
		}
		random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		if again := NewAddrs(rangesOf(all)); again.sum != a.sum {
			t.Fatalf("%v: another digest in another order", all)
		}
	}
	ends := addrs("0.0.0.0/1", "128.0.0.0/1", "::/0")
	if ends.v4.text(0) != "0.0.0.0/0" || ends.v6.text(0) != "::/0" || addrs().sum == ends.sum {
		t.Errorf("everything is %s and %s", ends.v4.text(0), ends.v6.text(0))
	}
	some := NewAddrs(func(yield func(low, high netip.Addr) bool) {
		yield(netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.6"))
	})
	if text := some.v4.text(0); text != "10.0.0.1-10.0.0.6" {
		t.Error(text)
	}
}

func (a *Addrs) contains(addr netip.Addr) bool {
	s, key := a.v6, addr.AsSlice()
	if addr.Is4() {
		s = a.v4
	}
	for i := range s.Len() {
		if first, last := s.at(i); bytes.Compare(first, key) <= 0 && bytes.Compare(key, last) <= 0 {
			return true
		}
	}
	return false
}

// TestElements: what a message carries is what netlink can, and all ranges are in
// some message.
func TestElements(t *testing.T) {
	for _, size := range []int{4, 16} {
		s := spans{size: size}
		for i := range 5000 {
			key := make([]byte, size)
			key[0], key[1], key[2] = byte(i>>8), byte(i), 1
			s.keys = append(append(s.keys, key...), key...)
		}
		seen := 0
		for from := 0; from < s.Len(); {
			elements, next := s.elements(from)
			if len(elements) > mostElements || len(elements)%4 != 0 || next <= from {
				t.Fatalf("%d bytes for %d ranges", len(elements), next-from)
			}
			seen, from = seen+next-from, next
		}
		if seen != 5000 {
			t.Errorf("%d ranges", seen)
		}
	}
}

// packet is what decisions ask of one.
type packet struct {
	iface        string
	proto        byte
	source, dest netip.AddrPort
}

func (p packet) family() byte {
	if p.dest.Addr().Is6() {
		return familyIPv6
	}
	return familyIPv4
}

// oracle decides as Decision's documentation says.
func oracle(s Spec, p packet) (forward bool) {
	inlet := s.rest(p.proto)
	for _, w := range s.Ways {
		if w.carries(p.proto) && slices.ContainsFunc(w.Ifaces, func(name string) bool { return covers(name, p.iface) }) {
			inlet = w.Port
		}
	}
	in := func(ports []PortRange, port uint16) bool {
		return len(ports) == 0 || slices.ContainsFunc(ports, func(r PortRange) bool { return r.Lo <= port && port <= r.Hi })
	}
	for _, d := range s.Decisions {
		all := (d.TCP == d.UDP || d.TCP == (p.proto == protoTCP)) &&
			(d.Inlets == nil || slices.ContainsFunc(d.Inlets, func(in Inlet) bool {
				return in.Port == inlet && (p.proto == protoTCP && in.TCP || p.proto == protoUDP && in.UDP)
			})) &&
			(d.Sources == nil || d.Sources.contains(p.source.Addr())) && (d.Dests == nil || d.Dests.contains(p.dest.Addr())) &&
			in(d.SourcePorts, p.source.Port()) && in(d.DestPorts, p.dest.Port())
		if all != d.Invert {
			return d.Forward
		}
	}
	return false
}

// walk goes through chains as the kernel does, as far as decisions use them, and
// returns the chain at which a packet ends.
func walk(chains map[string]chain, sets map[string]set, name string, p packet) string {
	if name == chainLeft || name == chainDeliver {
		return name
	}
rules:
	for _, rule := range chains[name].rules {
		for _, t := range rule {
			matches := true
			switch t := t.(type) {
			case protoIs:
				matches = t.proto == p.proto
			case ifaceIs:
				matches = covers(t.name, p.iface) != t.not
			case ifaceIn:
				matches = sets[t.set].has(ifaceKey(p.iface))
			case ifaceNotIn:
				matches = !sets[t.set].has(ifaceKey(p.iface))
			case sourceIn:
				matches = t.family == p.family() && sets[t.set].has(p.source.Addr().AsSlice())
			case destIn:
				matches = t.family == p.family() && sets[t.set].has(p.dest.Addr().AsSlice())
			case portIn:
				port := p.dest.Port()
				if t.source {
					port = p.source.Port()
				}
				matches = sets[t.set].has([]byte{byte(port >> 8), byte(port)})
			case ctMarkIs, ctLabelIs:
				matches = false
			case jump:
				if end := walk(chains, sets, string(t), p); end != "" {
					return end
				}
			case goTo:
				return walk(chains, sets, string(t), p)
			case verdict:
				return ""
			}
			if !matches {
				continue rules
			}
		}
	}
	return ""
}

func ifaceKey(name string) []byte { return append([]byte(name), make([]byte, 16-len(name))...) }

func (s set) has(key []byte) bool {
	within := func(first, last []byte) bool { return bytes.Compare(first, key) <= 0 && bytes.Compare(key, last) <= 0 }
	for i := range s.spans.Len() {
		if within(s.spans.at(i)) {
			return true
		}
	}
	return slices.ContainsFunc(s.elements, func(e element) bool { return within(e.first, e.last) })
}

// TestDecisionsOracle: whatever is decided, the chains lead where the decisions
// do.
func TestDecisionsOracle(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	maybe := func() bool { return random.IntN(3) == 0 }
	some := func() *Addrs {
		if !maybe() {
			return nil
		}
		return addrs([][]string{{"10.0.0.0/30"}, {"10.0.0.2/31", "fd00::/126"}, {"fd00::2/127"}, {}, {"10.0.0.0/30", "::/0"}}[random.IntN(5)]...)
	}
	ports := func() []PortRange {
		if !maybe() {
			return nil
		}
		return [][]PortRange{{{0, 2}}, {{1, 1}, {3, 3}}, {{2, 65535}}}[random.IntN(3)]
	}
	addr := func() netip.AddrPort {
		ip := []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, byte(random.IntN(5))}), netip.AddrFrom16([16]byte{0: 0xfd, 15: byte(random.IntN(5))})}
		return netip.AddrPortFrom(ip[random.IntN(2)], uint16(random.IntN(5)))
	}
	forwards := 0
	for range 500 {
		s := Spec{TCPPort: 1, UDPPort: 2, Ways: []Way{{Ifaces: []string{"lan1", "ppp*"}, Port: 3, TCP: true, UDP: true}, {Ifaces: []string{"lan2"}, Port: 4, UDP: true}}}
		for range 1 + random.IntN(4) {
			d := Decision{Forward: maybe(), Invert: maybe(), TCP: maybe(), UDP: maybe(), Sources: some(), Dests: some(), SourcePorts: ports(), DestPorts: ports()}
			if maybe() {
				d.Inlets = [][]Inlet{{{1, true, true}}, {{3, true, false}}, {{2, true, true}, {4, true, true}}, {{4, false, true}}, {}, {{1, true, true}, {2, true, true}, {3, true, true}}}[random.IntN(6)]
			}
			s.Decisions = append(s.Decisions, d)
		}
		plan, err := NewPlan(s)
		if err != nil {
			t.Fatal(err)
		}
		if !plan.Spec.decides() {
			continue
		}
		chains, sets := map[string]chain{}, map[string]set{}
		for _, c := range plan.table.chains {
			chains[c.name] = c
		}
		for _, s := range plan.table.sets {
			sets[s.name] = s
		}
		for range 200 {
			p := packet{[]string{"lan0", "lan1", "lan2", "ppp7"}[random.IntN(4)], []byte{protoTCP, protoUDP}[random.IntN(2)], addr(), addr()}
			if p.source = addr(); p.source.Addr().Is4() != p.dest.Addr().Is4() {
				continue
			}
			forward := oracle(s, p)
			if end := walk(chains, sets, chainDecide, p); (end == chainLeft) != forward || (end == chainDeliver) == forward {
				t.Fatalf("%+v\n%+v\nends at %q, want forward %v\n%s", s.Decisions, p, end, forward, plan.table.nft())
			}
			if forward {
				forwards++
			}
		}
	}
	if forwards < 1000 {
		t.Errorf("%d forwarded", forwards)
	}
}

// TestDecisionsText: decisions behind the last one to forward are left out, sets of
// the same addresses are one, and what cannot be is refused.
func TestDecisionsText(t *testing.T) {
	same := []string{"192.0.2.0/24", "2001:db8::/32"}
	plan, err := NewPlan(Spec{TCPPort: 1, Decisions: []Decision{
		{Dests: addrs(same...), DestPorts: []PortRange{{22, 22}}}, {Forward: true, Dests: addrs(same...)}, {Sources: addrs("10.0.0.0/8")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	text := plan.table.nft()
	for _, want := range []string{
		"\tset to1_4 {\n\t\ttype ipv4_addr\n\t\tflags constant, interval\n\t\telements = { 192.0.2.0/24 }\n\t}\n",
		"\t\tth dport @to_ports1 ip6 daddr @to1_6 goto deliver\n",
		"\t\tip daddr @to1_4 goto left\n\t\tip6 daddr @to1_6 goto left\n\t\tgoto deliver\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "10.0.0.0/8") || strings.Contains(text, "to2_4") {
		t.Error(text)
	}
	if outline := plan.table.outline(); strings.Contains(outline, "192.0.2.0/24") || !strings.Contains(outline, addrs(same...).sum) {
		t.Error(outline)
	}
	if _, err := plan.Text(FormatIPTables); err == nil || !strings.Contains(err.Error(), "use --format nft") {
		t.Error(err)
	}
	if plain, err := NewPlan(Spec{TCPPort: 1, Decisions: []Decision{{}}}); err != nil || strings.Contains(plain.table.nft(), chainDecide) {
		t.Error("decisions to divert alone make chains", err)
	}
	if _, err := NewPlan(Spec{TCPPort: 1, Decisions: []Decision{{Name: "route.rules[3]", Forward: true, DestPorts: []PortRange{{9, 1}}}}}); err == nil || !strings.Contains(err.Error(), "route.rules[3]: ports 9-1") {
		t.Error(err)
	}
	facts, _ := parseFacts(plan.facts("pid 1", nil).comments())
	if facts.Decisions != 2 {
		t.Errorf("%+v", facts)
	}
}
