package rules

import (
	"errors"
	"fmt"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/userdata"
	"golang.org/x/sys/unix"
)

// elementsPerMessage keeps the nested list of a message under the 64 KiB that
// a netlink attribute can hold; an IPv6 interval takes about 80 bytes.
const elementsPerMessage = 400

// kernelTable names a table of ours to the library.
func kernelTable(name string) *nftables.Table {
	return &nftables.Table{Name: name, Family: nftables.TableFamilyINet}
}

// newEncoder encodes what is to be in a table of ours.
func newEncoder(conn *nftables.Conn, name string) *encoder {
	return &encoder{conn: conn, table: kernelTable(name), sets: map[string]*nftables.Set{}}
}

// write adds to the table in one transaction. Counters start from the values given
// by name.
func (e *encoder) write(t table, counts map[string]Counter) error {
	for _, name := range t.counters {
		e.conn.AddObj(&nftables.CounterObj{Table: e.table, Name: name, Packets: counts[name].Packets, Bytes: counts[name].Bytes})
	}
	for _, s := range t.sets {
		if err := e.addSet(s); err != nil {
			return fmt.Errorf("set %s: %w", s.name, err)
		}
	}
	for _, c := range t.chains {
		if err := e.addChain(c); err != nil {
			return fmt.Errorf("chain %s: %w", c.name, err)
		}
	}
	if err := e.conn.Flush(); err != nil {
		return fmt.Errorf("table inet %s: %w", e.table.Name, explain(err))
	}
	return nil
}

// deleteTable removes a table; it is no error when there is none.
func deleteTable(conn *nftables.Conn, name string) error {
	conn.DelTable(kernelTable(name))
	if err := conn.Flush(); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("delete table inet %s: %w", name, explain(err))
	}
	return nil
}

// explain adds the remedy to errors that an operator can do something about.
func explain(err error) error {
	switch {
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w: needs CAP_NET_ADMIN: run it as root", err)
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EPROTONOSUPPORT), errors.Is(err, unix.ENOENT):
		return fmt.Errorf("%w: the kernel lacks a part of nftables: see sluice doctor", err)
	}
	return err
}

func (e *encoder) addSet(s set) error {
	made := &nftables.Set{
		Table: e.table, ID: e.setID(), Name: s.name, Interval: s.interval,
		KeyType: s.kind.kernelType(), KeyByteOrder: binaryutil.BigEndian,
		Constant: s.spans.size > 0, Dynamic: s.live != 0, HasTimeout: s.live != 0, Timeout: s.live, Size: s.most,
	}
	if s.kind == kindIface || s.kind == kindUID { // host order; nft shows them wrongly otherwise
		made.KeyByteOrder = binaryutil.NativeEndian
	}
	if err := e.conn.AddSet(made, nil); err != nil {
		return err
	}
	e.sets[s.name] = made
	for keys := keysOf(s); len(keys) > 0; {
		n := min(len(keys), elementsPerMessage)
		if err := e.conn.SetAddElements(made, keys[:n]); err != nil {
			return err
		}
		keys = keys[n:]
	}
	return nil
}

// keysOf are a set's elements as the kernel has them.
func keysOf(s set) []nftables.SetElement {
	var keys []nftables.SetElement
	for _, el := range s.elements {
		keys = append(keys, nftables.SetElement{Key: el.first})
		if end, ok := after(el.last); s.interval && ok {
			keys = append(keys, nftables.SetElement{Key: end, IntervalEnd: true})
		}
	}
	return keys
}

func (k setKind) kernelType() nftables.SetDatatype {
	return map[setKind]nftables.SetDatatype{
		kindIface: nftables.TypeIFName,
		kindPort:  nftables.TypeInetService,
		kindIPv4:  nftables.TypeIPAddr,
		kindIPv6:  nftables.TypeIP6Addr,
		kindUID:   nftables.TypeUID,
		kindFlow4: nftables.MustConcatSetType(nftables.TypeIPAddr, nftables.TypeInetService, nftables.TypeIPAddr, nftables.TypeInetService),
		kindFlow6: nftables.MustConcatSetType(nftables.TypeIP6Addr, nftables.TypeInetService, nftables.TypeIP6Addr, nftables.TypeInetService),
	}[k]
}

func (e *encoder) addChain(c chain) error {
	made := &nftables.Chain{Table: e.table, Name: c.name}
	if c.hook != "" {
		policy := nftables.ChainPolicyAccept
		hooks := map[string]*nftables.ChainHook{
			"prerouting": nftables.ChainHookPrerouting, "forward": nftables.ChainHookForward,
			"output": nftables.ChainHookOutput, "postrouting": nftables.ChainHookPostrouting,
		}
		made.Type = nftables.ChainType(c.kind)
		made.Hooknum = hooks[c.hook]
		made.Priority = nftables.ChainPriorityRef(nftables.ChainPriority(c.priority))
		made.Policy = &policy
	}
	e.conn.AddChain(made)
	for _, terms := range c.rules {
		exprs, comment, err := e.rule(terms)
		if err != nil {
			return err
		}
		e.conn.AddRule(&nftables.Rule{Table: e.table, Chain: made, Exprs: exprs, UserData: comment})
	}
	return nil
}

// commentData is a rule's comment as nft stores it.
func commentData(text string) []byte {
	return userdata.AppendString(nil, userdata.TypeComment, text)
}
