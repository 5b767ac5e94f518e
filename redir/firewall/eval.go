package firewall

import "encoding/binary"

// effect is what a rule does with packets that meet its conditions.
type effect struct {
	amount   Amount  // how many do
	verdict  verdict // verdictContinue: none
	branches []branch
	act      string // what it does other than a verdict: rejects, queues ...
	limit    bool   // a condition is a limit
	by       field  // few meet a condition, by this field
	mss      bool   // it clamps TCP's segment size
	diverts  bool
}

// branch is one of the ways that a verdict map offers.
type branch struct {
	amount  Amount
	verdict verdict
}

// evaluation is one rule's.
type evaluation struct {
	effect
	packet    *Packet
	hook      Hook
	table     *Table
	registers registers
	before    state
	now       *state
	changed   Amount // how many met the conditions before a statement
}

// evaluate interprets a rule, which changes the state.
func evaluate(r *Rule, p *Packet, hook Hook, st *state) effect {
	e := evaluation{packet: p, hook: hook, table: r.Chain.Table, before: *st, now: st}
	e.amount, e.verdict.code = All, verdictContinue
	for _, x := range r.exprs {
		if e.expression(x); e.amount == None {
			break
		}
	}
	if e.changed != None && e.changed != All {
		*st = st.or(e.before)
	}
	return e.effect
}

// condition is met by so many of the packets.
func (e *evaluation) condition(a Amount, by field) {
	if a == Few && a < e.amount {
		e.by = by
	}
	e.amount = min(e.amount, a)
}

func (e *evaluation) unless(ends bool) {
	if ends {
		e.amount = None
	}
}

// expression interprets one.
func (e *evaluation) expression(x expression) {
	switch x.name {
	case "meta":
		e.meta(x)
	case "ct":
		e.conntrack(x)
	case "payload":
		e.payload(x)
	case "fib":
		const dreg, result, flags = 1, 2, 3
		e.registers.load(x.number(dreg), e.packet.fib(x.number(result), x.number(flags)))
	case "socket":
		const key, dreg = 1, 2
		e.registers.load(x.number(dreg), e.packet.socket(x.number(key)))
	case "cmp":
		e.compare(x)
	case "range":
		e.inRange(x)
	case "bitwise":
		e.bitwise(x)
	case "byteorder":
		e.byteorder(x)
	case "lookup":
		e.lookup(x)
	case "immediate":
		e.immediate(x)
	case "limit", "connlimit", "quota", "dynset", "objref":
		e.limits(x)
	case "match":
		e.match(x)
	case "target":
		e.target(x)
	default:
		e.statement(x)
	}
}

// statement is what remains: what ends packets, and what is not understood.
func (e *evaluation) statement(x expression) {
	switch x.name {
	case "counter", "log", "last", "nftrace", "masq", "dup", "flow_offload", "secmark", "cttimeout", "cthelper", "ctexpect":
	case "notrack":
		e.change(func(st *state) { st.untracked = true })
	case "reject":
		e.act = "rejects"
	case "queue":
		e.act = "queues"
	case "synproxy":
		e.act = "answers itself"
	case "fwd":
		e.act = "forwards"
	case "tproxy":
		e.diverts = true
	case "redir":
		e.act, e.diverts = "redirects", true
	case "nat":
		const natType, destination = 1, 1
		if x.number(natType) == destination {
			e.act = "rewrites destinations of"
		} else {
			e.verdict.code = verdictAccept
		}
	case "exthdr":
		const kind, op, sreg, tcpOption, maxseg = 2, 6, 7, 1, 2
		e.mss = e.mss || find(x.data, sreg) != nil && x.number(op) == tcpOption && x.number(kind) == maxseg
		e.registers.clobber()
	default:
		e.registers.clobber()
	}
}

func (e *evaluation) change(f func(*state)) {
	f(e.now)
	e.changed = e.amount
}

func (e *evaluation) meta(x expression) {
	const dreg, key, sreg = 1, 2, 3
	if find(x.data, sreg) == nil {
		v, ok := e.packet.meta(x.number(key), e.now, e.hook)
		e.registers.load(x.number(dreg), v)
		e.unless(!ok)
	} else if x.number(key) == metaMark {
		mark := e.word(x.number(sreg))
		e.change(func(st *state) { st.mark = mark })
	}
}

func (e *evaluation) conntrack(x expression) {
	const dreg, key, sreg = 1, 2, 4
	if find(x.data, sreg) == nil {
		v, ok := e.packet.conntrack(x.number(key), e.now)
		e.registers.load(x.number(dreg), v)
		e.unless(!ok)
	} else if x.number(key) == ctMark && !e.now.untracked && !e.now.early {
		mark := e.word(x.number(sreg))
		e.change(func(st *state) { st.connMark = mark })
	}
}

// word is what a register holds, as a mark.
func (e *evaluation) word(register uint64) Word {
	cells := e.registers.at(register, 4)
	if cells == nil {
		return Word{}
	}
	var bits, known [4]byte
	for i, c := range cells {
		bits[i], known[i] = c.bits, c.known
	}
	return Word{binary.NativeEndian.Uint32(bits[:]), binary.NativeEndian.Uint32(known[:])}
}

func (e *evaluation) payload(x expression) {
	const dreg, base, offset, size, sreg = 1, 2, 3, 4, 5
	if find(x.data, sreg) != nil {
		return // a header is rewritten: none of what is known here
	}
	v, ok := e.packet.payload(x.number(base), x.number(offset), x.number(size))
	e.registers.load(x.number(dreg), v)
	e.unless(!ok)
}

// Operators of cmp.
const opEqual, opNotEqual, opLess, opLessEqual, opGreater, opGreaterEqual = 0, 1, 2, 3, 4, 5

func (e *evaluation) compare(x expression) {
	const sreg, op, data = 1, 2, 3
	want := find(find(x.data, data), attrDataValue)
	cells := e.registers.at(x.number(sreg), len(want))
	if cells == nil {
		e.condition(Some, fieldOther)
		return
	}
	least, most := make([]byte, len(want)), make([]byte, len(want))
	for i := range most {
		most[i] = 0xff
	}
	lo, hi, inverted := want, want, false
	switch x.number(op) {
	case opNotEqual:
		inverted = true
	case opLess:
		lo, inverted, hi = want, true, most // not (>=)
	case opLessEqual:
		lo = least
	case opGreater:
		lo, inverted = least, true // not (<=)
	case opGreaterEqual:
		hi = most
	}
	e.among(cells, lo, hi, inverted)
}

func (e *evaluation) among(cells []cell, lo, hi []byte, inverted bool) {
	a, by := within(cells, lo, hi, e.packet)
	if inverted {
		a = a.rest()
	}
	e.condition(a, by)
}

func (e *evaluation) inRange(x expression) {
	const sreg, op, from, to = 1, 2, 3, 4
	lo, hi := find(find(x.data, from), attrDataValue), find(find(x.data, to), attrDataValue)
	cells := e.registers.at(x.number(sreg), len(lo))
	if cells == nil || len(lo) != len(hi) {
		e.condition(Some, fieldOther)
		return
	}
	e.among(cells, lo, hi, x.number(op) == opNotEqual)
}

// bitwise is (register & mask) ^ xor; of the others nothing is known after.
func (e *evaluation) bitwise(x expression) {
	const sreg, dreg, length, maskAt, xorAt, op = 1, 2, 3, 4, 5, 6
	size := int(min(x.number(length), registerBytes))
	cells := e.registers.at(x.number(sreg), size)
	mask, xor := find(find(x.data, maskAt), attrDataValue), find(find(x.data, xorAt), attrDataValue)
	if x.number(op) != 0 || len(mask) != len(cells) || len(xor) != len(cells) || cells == nil {
		e.registers.load(x.number(dreg), unknown(max(size, 4), fieldOther))
		return
	}
	v := unknown(size, cells[0].field)
	for i, c := range cells {
		v.known[i] = c.known | ^mask[i]
		v.bits[i] = (c.bits&mask[i] ^ xor[i]) & v.known[i]
	}
	e.registers.load(x.number(dreg), v)
}

// byteorder swaps the bytes of numbers, where the machine's order is not the
// network's.
func (e *evaluation) byteorder(x expression) {
	const sreg, dreg, length, sizeAt = 1, 2, 4, 5
	size, total := int(min(x.number(sizeAt), 8)), int(min(x.number(length), registerBytes))
	cells := e.registers.at(x.number(sreg), total)
	if cells == nil || size == 0 || total%size != 0 {
		e.registers.clobber()
		return
	}
	v := unknown(total, cells[0].field)
	for i, c := range cells {
		at := i
		if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
			at = i/size*size + size - 1 - i%size
		}
		v.bits[at], v.known[at] = c.bits, c.known
	}
	e.registers.load(x.number(dreg), v)
}

func (e *evaluation) immediate(x expression) {
	const dreg, data = 1, 2
	if v, is := x.verdict(); is {
		e.verdict = v
		return
	}
	if v := find(find(x.data, data), attrDataValue); len(v) > 0 && len(v) <= registerBytes {
		e.registers.load(x.number(dreg), exactly(v...))
	}
}
