package rules

import (
	"errors"
	"fmt"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// replace writes the table in place of what is there, without a gap. One
// transaction alone has one: the hook of a new chain is put before the old one
// of its priority (nf_hook_entries_grow), so a packet can pass the new chain
// while it is not active yet and the old one when it is no more, and a set's
// elements go inactive under a rule that is being evaluated. On a busy gateway
// of two CPUs, one replacement in twenty let a new flow through. So a table of
// the same rules stands in meanwhile; that a packet meets both does no harm. It
// keeps NAT at work too, which the kernel otherwise ends for running
// connections with the last nat chain. When it fails, either the old table is
// there or the stand-in.
func (h *holder) replace(t table, counts map[string]Counter, flags uint32, before seen) error {
	_, _, standing, err := readFlags(StepTable) // of one killed in the middle
	if err != nil {
		return err
	}
	if before.exists && (before.whole() || !standing) {
		if err := h.standIn(t, flags); err != nil {
			return errors.Join(err, h.delete(StepTable))
		}
	}
	if err := h.rewrite(t, counts, flags, before); err != nil {
		return err
	}
	return h.delete(StepTable)
}

// replaceTwice is replace where the stand-in stays, since it has an owner and
// the table has none.
func (h *holder) replaceTwice(t table, counts map[string]Counter, before seen) error {
	if !before.whole() {
		if err := h.rewrite(t, counts, 0, before); err != nil {
			return err
		}
		return h.standIn(t, flagOwner)
	}
	if err := h.standIn(t, flagOwner); err != nil {
		return err
	}
	return h.rewrite(t, counts, 0, before)
}

func (h *holder) rewrite(t table, counts map[string]Counter, flags uint32, before seen) error {
	if before.exists {
		if err := h.delete(TableName); err != nil {
			return err
		}
	}
	return h.write(TableName, t, counts, flags)
}

// standIn makes the step table: the same rules, without the facts.
func (h *holder) standIn(t table, flags uint32) error {
	if err := h.delete(StepTable); err != nil {
		return err
	}
	return h.write(StepTable, table{counters: t.counters, sets: t.sets, chains: t.chains[1:]}, nil, flags)
}

// write makes a table. One with flags is empty for a moment.
func (h *holder) write(name string, t table, counts map[string]Counter, flags uint32) error {
	if flags != 0 {
		if err := h.create(name, flags); err != nil {
			return err
		}
	}
	defer h.drain()
	e := newEncoder(h.conn, name)
	if flags == 0 {
		h.conn.AddTable(e.table)
	}
	rest, err := h.writeSets(e, t)
	if err != nil {
		return err
	}
	return e.write(rest, counts)
}

// writeSets writes the sets and, before, the facts, which say whose table it is, and
// returns the rest. A set that comes in one transaction with the rules that ask it
// may be empty for them at first: what looks an interval up is put in place after
// the rules are (nf_tables_commit, nft_set_commit_update).
func (h *holder) writeSets(e *encoder, t table) (rest table, err error) {
	first := table{sets: t.sets}
	rest = table{counters: t.counters, chains: t.chains}
	if t.chains[0].name == factsChain {
		first.chains, rest.chains = t.chains[:1], t.chains[1:]
	}
	if err := e.write(first, nil); err != nil {
		return rest, err
	}
	for _, s := range t.sets {
		if err := h.fill(e.table.Name, s); err != nil {
			return rest, err
		}
	}
	return rest, nil
}

// writeFacts writes the facts chain anew, which no packet visits.
func (h *holder) writeFacts(facts Facts) error {
	t := kernelTable(TableName)
	made := &nftables.Chain{Table: t, Name: factsChain}
	h.conn.FlushChain(made)
	for _, text := range facts.comments() {
		h.conn.AddRule(&nftables.Rule{Table: t, Chain: made, UserData: commentData(text),
			Exprs: []expr.Any{&expr.Verdict{Kind: expr.VerdictReturn}}})
	}
	err := h.conn.Flush()
	h.drain()
	if err != nil {
		return fmt.Errorf("table inet %s: %w", TableName, explain(err))
	}
	return nil
}
