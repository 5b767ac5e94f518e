package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/nftables"
)

// removePrinted takes away what print wrote for iptables and somebody pasted:
// its chains, and what it appended to the system's. DIVERT is the kernel
// document's name, and anybody's: it goes only where nobody else jumps there.
func removePrinted(conn *nftables.Conn, all []handRule) error {
	printed := sortByHand(all).printed
	chains := map[chainKey]bool{}
	for _, r := range printed {
		if strings.HasPrefix(r.chain, chainsPrefix) {
			chains[keyOf(r, r.chain)] = true
		} else {
			conn.DelRule(&nftables.Rule{Table: keyOf(r, "").kernelTable(), Chain: keyOf(r, r.chain).kernelChain(), Handle: r.handle})
		}
		for _, name := range r.jumps {
			if strings.HasPrefix(name, chainsPrefix) || name == chainDivert && divertIsOurs(all, r) {
				chains[keyOf(r, name)] = true
			}
		}
	}
	if len(printed) == 0 {
		return nil
	}
	for key := range chains {
		conn.FlushChain(key.kernelChain())
	}
	for key := range chains {
		conn.DelChain(key.kernelChain())
	}
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("the chains %s of iptables: %w", chainsPrefix, explain(err))
	}
	return nil
}

// divertIsOurs tells whether nobody but printed rules jumps to the table's
// chain DIVERT.
func divertIsOurs(all []handRule, of handRule) bool {
	return !slices.ContainsFunc(all, func(r handRule) bool {
		return r.family == of.family && r.table == of.table && slices.Contains(r.jumps, chainDivert) && !r.printed()
	})
}

// chainKey names a chain of any table.
type chainKey struct {
	family      byte
	table, name string
}

func keyOf(r handRule, chain string) chainKey { return chainKey{r.family, r.table, chain} }

func (k chainKey) kernelTable() *nftables.Table {
	return &nftables.Table{Name: k.table, Family: nftables.TableFamily(k.family)}
}

func (k chainKey) kernelChain() *nftables.Chain {
	return &nftables.Chain{Name: k.name, Table: k.kernelTable()}
}
