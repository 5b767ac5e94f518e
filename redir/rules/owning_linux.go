package rules

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Flags of a table (linux/netfilter/nf_tables.h, enum nft_table_flags).
const (
	// flagOwner makes a table belong to the netlink socket that created or adopted
	// it: who comes by another cannot change it (nft_table_lookup, EPERM), a flush
	// of all tables passes it over (nft_flush), and it goes when the socket closes,
	// however its process ends (nft_rcv_nl_event). Linux 5.12.
	flagOwner = 0x2
	// flagPersist keeps it then, as an orphan: anybody may change it, and whoever
	// asks for both flags adopts it (nf_tables_updtable). Linux 6.9.
	flagPersist = 0x4
	flagsHeld   = flagOwner | flagPersist
)

// ability is what a kernel can do for who owns a table.
type ability int

const (
	cannotOwn ability = iota // before Linux 5.12
	canOwn                   // before Linux 6.9
	canPersist
)

// probe finds out what the kernel can do by a table that no one sees: it
// comes and goes in one transaction.
func (h *holder) probe(most ability) (ability, error) {
	const name = TableName + "-probe"
	for can := most; can > cannotOwn; can-- {
		flags := uint32(flagsHeld)
		if can == canOwn {
			flags = flagOwner
		}
		err := h.batch(newTable(name, flags), oldTable(name))
		refused := errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL) // nf_tables_newtable since Linux 5.12, and before
		if !refused {
			return can, explain(err)
		}
	}
	return cannotOwn, nil
}

// flags are those of a table that holds the plan. To stay open behind a dead
// process, some must go with it; what the operator installs outlives its
// process at once.
func (h *holder) flags(plan *Plan, owner string) uint32 {
	switch {
	case plan.mortal():
		return flagOwner
	case h.can == canPersist && owner != ownerOperator:
		return flagsHeld
	}
	return 0
}

// twice tells whether the plan takes two tables: one that ends with the process
// and that nobody flushes, and one that stays when the process is killed.
func (h *holder) twice(plan *Plan, owner string) bool {
	return h.can == canOwn && owner != ownerOperator && !plan.mortal()
}

// Unowned says why others can flush or change the table, or is empty.
func (i *Installed) Unowned() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.holder.can != cannotOwn {
		return ""
	}
	return errUnowned.Error()
}

// TryOwning returns an error where the kernel lets others take the rules away.
func TryOwning() error {
	h, err := newHolder(canPersist)
	if err != nil {
		return err
	}
	defer h.close()
	if h.can == cannotOwn {
		return errUnowned
	}
	return nil
}
