package firewall

// mostBranches bounds how many different ways of a verdict map are walked.
const mostBranches = 256

// lookup finds the elements that the packets may have as their key.
func (e *evaluation) lookup(x expression) {
	const setAt, sreg, dreg, flags = 1, 2, 3, 5
	s := e.table.sets[text(x.data, setAt)]
	isMap := find(x.data, dreg) != nil
	isVerdict := isMap && x.number(dreg) == registerVerdict
	if s == nil || e.registers.at(x.number(sreg), s.keyLen) == nil {
		e.condition(Some, fieldOther)
		e.registers.clobber()
		return
	}
	cells := e.registers.at(x.number(sreg), s.keyLen)
	found, by := None, fieldOther
	var data [][]byte
	all := map[verdict]Amount{}
	for _, element := range s.elements {
		a, field := All.without(found), fieldOther // a catch-all takes what is left
		if element.lo != nil {
			a, field = within(cells, element.lo, element.hi, e.packet)
		}
		if a == None {
			continue
		}
		if a > found {
			by = field
		}
		found = max(found, a)
		data = append(data, element.data)
		if len(all) < mostBranches {
			all[element.verdict] = max(all[element.verdict], a)
		}
	}
	if s.partial || s.dynamic {
		found = max(found, Few)
	}
	if x.number(flags)&lookupInverted != 0 {
		found = found.rest()
	}
	e.condition(found, by)
	switch {
	case isVerdict:
		e.branches = nil
		for v, a := range all {
			e.branches = append(e.branches, branch{min(a, e.amount), v})
		}
	case isMap && len(data) == 1 && len(data[0]) > 0 && len(data[0]) <= registerBytes && found == All:
		e.registers.load(x.number(dreg), exactly(data[0]...))
	case isMap:
		e.registers.load(x.number(dreg), unknown(interfaceName, fieldOther))
	}
}

// limits are conditions that some packets meet, by how many there were.
func (e *evaluation) limits(x expression) {
	switch x.name {
	case "objref":
		const kind = 1
		if k := x.number(kind); k != objectLimit && k != objectConnlimit {
			return
		}
	case "dynset":
		const exprAt, exprsAt = 7, 10
		inner := expressions(find(x.data, exprsAt))
		if one := find(x.data, exprAt); one != nil {
			inner = append(inner, expression{text(one, attrExprName), find(one, attrExprData)})
		}
		for _, y := range inner {
			e.limits(y)
		}
		return
	case "counter", "last":
		return
	}
	e.limit = true
	e.condition(Some, fieldOther)
}
