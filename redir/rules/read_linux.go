package rules

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/userdata"
)

// seen is what the kernel holds under our table's name.
type seen struct {
	exists   bool
	ours     bool // it has a facts chain that names an owner
	facts    Facts
	counters []Counter
	// print tells whether anybody changed the table since: each chain's rule
	// handles, which the kernel never reuses within a table, and each set's
	// number of elements.
	print string
}

// readTable reads the table. That there is none is no error.
func readTable(conn *nftables.Conn) (seen, error) {
	t := kernelTable(TableName)
	switch _, err := conn.ListTableOfFamily(t.Name, t.Family); {
	case errors.Is(err, os.ErrNotExist):
		return seen{}, nil
	case err != nil:
		return seen{}, fmt.Errorf("read table inet %s: %w", t.Name, explain(err))
	}
	found := seen{exists: true}
	comments, chains, err := readChains(conn, t)
	if err != nil {
		return seen{}, fmt.Errorf("read table inet %s: %w", t.Name, explain(err))
	}
	found.facts, found.ours = parseFacts(comments)
	if !found.ours {
		return found, nil
	}
	sets, err := readSets(conn, t)
	if err != nil {
		return seen{}, fmt.Errorf("read table inet %s: %w", t.Name, explain(err))
	}
	found.print = chains + sets
	objects, err := conn.GetObjects(t)
	if err != nil {
		return seen{}, fmt.Errorf("read table inet %s: %w", t.Name, explain(err))
	}
	for _, object := range objects {
		if c, ok := object.(*nftables.CounterObj); ok {
			found.counters = append(found.counters, Counter{c.Name, c.Packets, c.Bytes})
		}
	}
	return found, nil
}

// readChains reads the facts' comments and a print of all chains.
func readChains(conn *nftables.Conn, t *nftables.Table) (comments []string, print string, err error) {
	chains, err := conn.ListChainsOfTableFamily(t.Family)
	if err != nil {
		return nil, "", err
	}
	var prints []string
	for _, c := range chains {
		if c.Table.Name != t.Name {
			continue
		}
		rules, err := conn.GetRules(t, c)
		if err != nil {
			return nil, "", err
		}
		var handles []uint64
		for _, rule := range rules {
			handles = append(handles, rule.Handle)
			if c.Name == factsChain {
				comments = append(comments, comment(rule.UserData))
			}
		}
		prints = append(prints, fmt.Sprintln(c.Name, handles))
	}
	slices.Sort(prints)
	return comments, strings.Join(prints, ""), nil
}

func readSets(conn *nftables.Conn, t *nftables.Table) (string, error) {
	sets, err := conn.GetSets(t)
	if err != nil {
		return "", err
	}
	var prints []string
	for _, s := range sets {
		elements, err := conn.GetSetElements(s)
		if err != nil {
			return "", err
		}
		prints = append(prints, fmt.Sprintln(s.Name, len(elements)))
	}
	slices.Sort(prints)
	return strings.Join(prints, ""), nil
}

// comment reads a rule's comment. The user data comes from whoever wrote the
// rule, so its lengths are checked before the library is let near it.
func comment(data []byte) string {
	for rest := data; len(rest) > 0; rest = rest[2+int(rest[1]):] {
		if len(rest) < 2 || len(rest) < 2+int(rest[1]) {
			return ""
		}
	}
	text, _ := userdata.GetString(data, userdata.TypeComment)
	return text
}

// newConn is a connection that opens a socket for each operation, in the
// network namespace of the calling thread.
func newConn() *nftables.Conn { return &nftables.Conn{} }
