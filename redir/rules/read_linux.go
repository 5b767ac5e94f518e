package rules

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/userdata"
	"github.com/mdlayher/netlink"
)

// seen is what the kernel holds under our table's name.
type seen struct {
	exists   bool
	ours     bool // it has a facts chain that names an owner
	facts    Facts
	counters []Counter
	rules    int // in the chains that packets visit
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
	comments, count, chains, err := readChains(conn, t)
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
	found.print, found.rules = chains+sets, count
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

// readChains reads the facts' comments, the number of rules in the other
// chains and a print of all chains.
func readChains(conn *nftables.Conn, t *nftables.Table) (comments []string, count int, print string, err error) {
	chains, err := conn.ListChainsOfTableFamily(t.Family)
	if err != nil {
		return nil, 0, "", err
	}
	var prints []string
	for _, c := range chains {
		if c.Table.Name != t.Name {
			continue
		}
		rules, err := conn.GetRules(t, c)
		if err != nil {
			return nil, 0, "", err
		}
		if c.Name != factsChain {
			count += len(rules)
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
	return comments, count, strings.Join(prints, ""), nil
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
func newConn() *nftables.Conn {
	conn, _ := nftables.New(nftables.WithSockOptions(largeBatches)) // fails only where it opens a socket, as lasting ones
	return conn
}

// batchBytes is room for a batch of some hundred thousand networks: a
// transaction is one message to the kernel, which net.core.wmem_max would
// bound (netlink_sendmsg, EMSGSIZE).
const batchBytes = 64 << 20

// largeBatches lets the socket send them, and take in an answer to each of
// their messages (ENOBUFS otherwise, after the batch was committed). Both need
// CAP_NET_ADMIN, without which no batch is sent anyway.
func largeBatches(c *netlink.Conn) error {
	_ = c.SetWriteBuffer(batchBytes)
	_ = c.SetReadBuffer(batchBytes)
	return nil
}
