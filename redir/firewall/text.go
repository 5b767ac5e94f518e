package firewall

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// writer makes a rule's text: what each register was loaded with, and what it
// has said so far.
type writer struct {
	table   *Table
	loaded  map[uint64]operand
	phrases []string
}

// operand is a register's content in words, and how values that it is
// compared with are written.
type operand struct {
	name     string
	constant []byte // in place of a name
	mask     []byte // of the name
	write    func([]byte) string
	swap     bool // in the machine's byte order
	size     int  // in bytes, where it may be part of a concatenation
}

// String is close to nft's text, or iptables' for what is left of those, and
// for reading alone.
func (r *Rule) String() string {
	w := writer{table: r.Chain.Table, loaded: map[uint64]operand{}}
	for _, e := range r.exprs {
		w.expression(e)
	}
	// What nft makes of a protocol and its port is one phrase again.
	return shorter.Replace(strings.Join(w.phrases, " "))
}

var shorter = strings.NewReplacer("meta l4proto tcp th ", "tcp ", "meta l4proto udp th ", "udp ", "meta l4proto tcp tcp ", "tcp ",
	"meta nfproto ipv4 ip ", "ip ", "meta nfproto ipv6 ip6 ", "ip6 ", "counter ", "")

func (w *writer) say(format string, args ...any) {
	w.phrases = append(w.phrases, fmt.Sprintf(format, args...))
}

func (w *writer) expression(e expression) {
	const dreg, key = 1, 2
	switch e.name {
	case "meta":
		const sreg = 3
		if find(e.data, sreg) != nil {
			w.say("meta %s set %s", metaName(e.number(key)), w.loaded[e.number(sreg)].source())
			return
		}
		w.loaded[e.number(dreg)] = metaOperand(e.number(key))
	case "ct":
		const sreg = 4
		if find(e.data, sreg) != nil {
			w.say("ct %s set %s", ctName(e.number(key)), w.loaded[e.number(sreg)].source())
			return
		}
		w.loaded[e.number(dreg)] = ctOperand(e.number(key))
	case "payload":
		const base, offset, size, sreg = 2, 3, 4, 5
		if find(e.data, sreg) == nil {
			w.loaded[e.number(dreg)] = payloadOperand(e.number(base), e.number(offset), e.number(size))
		}
	case "socket":
		const key = 1
		w.loaded[e.number(2)] = operand{name: "socket " + pick(e.number(key), "transparent", "mark", "wildcard", "cgroupv2"), write: decimal}
	case "fib":
		const result = 2
		w.loaded[e.number(dreg)] = operand{name: "fib " + pick(e.number(result), "", "oif", "oifname", "type"), write: decimal, swap: true}
	case "bitwise":
		w.bitwise(e)
	case "byteorder":
		const sreg, dreg = 1, 2
		o := w.loaded[e.number(sreg)]
		o.swap = false
		w.loaded[e.number(dreg)] = o
	case "cmp", "range":
		w.compare(e)
	case "lookup":
		w.lookup(e)
	case "match":
		w.say("-m %s", text(e.data, attrTargetName))
	case "target":
		w.say("-j %s", text(e.data, attrTargetName))
	default:
		w.statement(e)
	}
}

func (w *writer) statement(e expression) {
	switch e.name {
	case "immediate":
		if v, is := e.verdict(); is {
			w.say("%s", v)
			return
		}
		const dreg, data = 1, 2
		value := find(find(e.data, data), attrDataValue)
		w.loaded[e.number(dreg)] = operand{constant: value}
	case "counter", "last":
		w.say("counter")
	case "limit":
		const rate, unit, burst, flags = 1, 2, 3, 5
		over := ""
		if e.number(flags)&limitInverted != 0 {
			over = "over "
		}
		per := map[uint64]string{1: "second", 60: "minute", 3600: "hour", 86400: "day"}[e.number(unit)]
		w.say("limit rate %s%d/%s burst %d packets", over, e.number(rate), per, e.number(burst))
	case "nat":
		if e.number(1) == 1 {
			w.say("dnat")
		} else {
			w.say("snat")
		}
	case "redir":
		w.say("redirect")
	case "masq":
		w.say("masquerade")
	case "reject":
		const kind, reset = 1, 1
		if e.number(kind) == reset {
			w.say("reject with tcp reset")
		} else {
			w.say("reject")
		}
	default:
		w.say("%s", e.name)
	}
}

func (v verdict) String() string {
	switch v.code {
	case verdictJump:
		return "jump " + v.chain
	case verdictGoto:
		return "goto " + v.chain
	case verdictReturn:
		return "return"
	case verdictDrop:
		return "drop"
	case verdictAccept:
		return "accept"
	case verdictContinue:
		return "continue"
	}
	return "queue"
}

func (w *writer) bitwise(e expression) {
	const sreg, dreg, mask, xor = 1, 2, 4, 5
	o := w.loaded[e.number(sreg)]
	m, x := find(find(e.data, mask), attrDataValue), find(find(e.data, xor), attrDataValue)
	if o.swap {
		m, x = reversed(m), reversed(x)
	}
	o.mask = m
	o.name += " & " + hexWriter(m)
	if strings.Trim(string(x), "\x00") != "" {
		o.name += " ^ " + hexWriter(x)
	}
	if o.write == nil {
		o.write = hexWriter
	}
	w.loaded[e.number(dreg)] = o
}

func (w *writer) compare(e expression) {
	const sreg, op, data, to = 1, 2, 3, 4
	o := w.loaded[e.number(sreg)]
	if states, is := strings.CutPrefix(o.name, "ct state & "); is && states != "" && e.number(op) == opNotEqual {
		w.say("ct state %s", stateText(o.mask))
		return
	}
	sign := pick(e.number(op), "", "!= ", "< ", "<= ", "> ", ">= ")
	if sign == "" && strings.Contains(o.name, " & ") {
		sign = "== "
	}
	value := o.text(find(find(e.data, data), attrDataValue))
	if e.name == "range" {
		value += "-" + o.text(find(find(e.data, to), attrDataValue))
	}
	w.say("%s %s%s", o.name, sign, value)
}

func (w *writer) lookup(e expression) {
	const setAt, sreg, dreg, flags = 1, 2, 3, 5
	const shown = 8
	o, name := w.loaded[e.number(sreg)], text(e.data, setAt)
	sign := ""
	if e.number(flags)&lookupInverted != 0 {
		sign = "!= "
	}
	s := w.table.sets[name]
	if s == nil || !strings.HasPrefix(name, "__") {
		name = "@" + name
	} else {
		var elements []string
		for i, el := range s.elements {
			if i == shown {
				elements = append(elements, "...")
				break
			}
			elements = append(elements, w.element(s, el, o))
		}
		name = "{ " + strings.Join(elements, ", ") + " }"
	}
	if s != nil && o.size != 0 && s.keyLen > o.size { // a concatenation
		o.name += " . ..."
	}
	switch {
	case find(e.data, dreg) == nil:
		w.say("%s %s%s", o.name, sign, name)
	case e.number(dreg) == registerVerdict:
		w.say("%s vmap %s", o.name, name)
	default:
		w.loaded[e.number(dreg)] = operand{name: o.name + " map " + name}
	}
}

func (w *writer) element(s *set, el element, o operand) string {
	key := "*"
	if el.lo != nil {
		lo := el.lo
		if o.size != 0 && len(lo) > o.size {
			lo = lo[:o.size]
		}
		key = o.text(lo)
		if prefix, isName := strings.CutSuffix(key, `"`); isName && string(el.lo) != string(el.hi) {
			key = prefix + `*"`
		} else if string(el.lo) != string(el.hi) && len(lo) == len(el.lo) {
			key += "-" + o.text(el.hi)
		}
	}
	if s.verdicts {
		key += " : " + el.verdict.String()
	}
	return key
}

// source is what a mark is set to.
func (o operand) source() string {
	if o.constant != nil {
		return hexWriter(reversed(o.constant))
	}
	return o.name
}

func (o operand) text(value []byte) string {
	if o.swap {
		value = reversed(value)
	}
	if o.write == nil {
		return hexWriter(value)
	}
	return o.write(value)
}

func reversed(value []byte) []byte {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		return value
	}
	back := make([]byte, len(value))
	for i, b := range value {
		back[len(value)-1-i] = b
	}
	return back
}

func pick(n uint64, from ...string) string {
	if n < uint64(len(from)) {
		return from[n]
	}
	return strconv.FormatUint(n, 10)
}

func hexWriter(value []byte) string {
	if len(value) > 8 {
		return fmt.Sprintf("0x%x", value)
	}
	return fmt.Sprintf("%#x", bigInteger(value))
}

func bigInteger(value []byte) (n uint64) {
	for _, b := range value {
		n = n<<8 | uint64(b)
	}
	return n
}

func decimal(value []byte) string {
	if len(value) > 8 {
		return hexWriter(value)
	}
	return strconv.FormatUint(bigInteger(value), 10)
}

func quoted(value []byte) string {
	name, _, whole := strings.Cut(string(value), "\x00")
	if !whole && len(value) < interfaceName {
		name += "*"
	}
	return strconv.Quote(name)
}

func addressText(value []byte) string {
	if addr, ok := netip.AddrFromSlice(value); ok {
		return addr.String()
	}
	if len(value) < 4 {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte(padded(value, false, 0))), 8*len(value)).String()
	}
	return netip.PrefixFrom(netip.AddrFrom16([16]byte(padded(value, true, 0))), min(8*len(value), 128)).String()
}
