package firewall

import (
	"encoding/binary"
	"slices"
)

// Decode makes a Ruleset of netlink messages, one after another as the kernel
// sends them: tables, chains and sets before what they hold. It takes from a
// broken dump what can be understood.
func Decode(dump []byte) *Ruleset {
	const header, alignment = 16, 3 // struct nlmsghdr
	d := decoder{ruleset: &Ruleset{tables: map[tableKey]*Table{}}}
	for len(dump) >= header {
		size := int(binary.NativeEndian.Uint32(dump))
		if size < header || size > len(dump) {
			break
		}
		d.message(binary.NativeEndian.Uint16(dump[4:]), dump[header:size])
		dump = dump[min((size+alignment)&^alignment, len(dump)):]
	}
	for _, t := range d.ruleset.tables {
		for _, s := range t.sets {
			s.finish()
		}
	}
	return d.ruleset
}

type decoder struct{ ruleset *Ruleset }

// message takes one in, behind whose header is a struct nfgenmsg.
func (d *decoder) message(kind uint16, data []byte) {
	const generic = 4
	if len(data) < generic {
		return
	}
	family, data := data[0], data[generic:]
	switch kind & 0xff { // above it: NFNL_SUBSYS_NFTABLES
	case msgNewTable:
		d.table(family, text(data, attrTableName)).Owned = number(data, attrTableFlags)&flagTableOwner != 0
	case msgNewChain:
		d.chain(family, data)
	case msgNewRule:
		d.rule(family, data)
	case msgNewSet:
		t := d.table(family, text(data, attrSetTable))
		flags := number(data, attrSetFlags)
		t.sets[text(data, attrSetName)] = &set{
			name:     text(data, attrSetName),
			interval: flags&flagSetInterval != 0, dynamic: flags&flagSetEval != 0,
			keyLen:   int(min(number(data, attrSetKeyLen), registerBytes)),
			verdicts: number(data, attrSetDataType) == dataTypeVerdict,
		}
	case msgNewElement:
		t := d.table(family, text(data, attrListTable))
		if s := t.sets[text(data, attrListSet)]; s != nil {
			for _, element := range attrs(find(data, attrListElements)) {
				s.add(element)
			}
		}
	}
}

// table is that of the name; one of another family (bridge, netdev, arp) is
// none of the ruleset's.
func (d *decoder) table(family byte, name string) *Table {
	key := tableKey{family, name}
	t := d.ruleset.tables[key]
	if t == nil {
		t = &Table{Name: name, family: family, chains: map[string]*Chain{}, sets: map[string]*set{}}
		if t.Family() != "" {
			d.ruleset.tables[key] = t
		}
	}
	return t
}

func (d *decoder) chain(family byte, data []byte) {
	t := d.table(family, text(data, attrChainTable))
	c := &Chain{Table: t, Name: text(data, attrChainName), Hook: NoHook, Type: text(data, attrChainType)}
	if hook := find(data, attrChainHook); hook != nil {
		c.Hook, c.Priority = Hook(number(hook, attrHookNumber)&0x7f), int32(number(hook, attrHookPriority))
		c.Drops = find(data, attrChainPolicy) != nil && number(data, attrChainPolicy) == verdictDrop
	}
	if t.Family() == "" || t.chains[c.Name] != nil {
		return
	}
	t.chains[c.Name] = c
	d.ruleset.chains = append(d.ruleset.chains, c)
}

func (d *decoder) rule(family byte, data []byte) {
	c := d.table(family, text(data, attrRuleTable)).chains[text(data, attrRuleChain)]
	if c == nil {
		return
	}
	r := &Rule{Chain: c, Handle: number(data, attrRuleHandle), exprs: expressions(find(data, attrRuleExprs))}
	c.Rules = append(c.Rules, r)
}

// expressions decodes a list of them.
func expressions(data []byte) []expression {
	var exprs []expression
	for _, element := range attrs(data) {
		exprs = append(exprs, expression{text(element, attrExprName), slices.Clone(find(element, attrExprData))})
	}
	return exprs
}

// verdict is what becomes of packets, and where to, for a jump.
type verdict struct {
	code  int32
	chain string
}

func readVerdict(data []byte) verdict {
	return verdict{int32(number(data, attrVerdictCode)), text(data, attrVerdictChain)}
}

// verdict of an immediate that has one.
func (e expression) verdict() (verdict, bool) {
	const dreg, data = 1, 2
	if e.name != "immediate" || e.number(dreg) != registerVerdict {
		return verdict{}, false
	}
	v := find(find(e.data, data), attrDataVerdict)
	return readVerdict(v), v != nil
}
