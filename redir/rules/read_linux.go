package rules

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
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
	// body tells whether anybody changed the table since: each chain's rule
	// handles, which the kernel never reuses within a table, and each set's
	// number of elements. The facts stand beside it.
	body     string
	comments []string // of the facts chain
	flags    uint32
	portID   uint32 // of the netlink socket that owns the table, or 0
}

// print is the whole of it.
func (s seen) print() string { return s.body + strings.Join(s.comments, "\n") }

// whole tells whether it is ours and no rule is missing.
func (s seen) whole() bool { return s.facts.Owner != "" && s.rules == s.facts.Rules }

// seal is the fact by which a later process knows that the table is still what
// was made of a plan.
func (s seen) seal(plan *Plan) string { return digest(plan.table.outline()) + " " + digest(s.body) }

// is tells whether it is what was made of the plan, by whichever process.
func (s seen) is(plan *Plan) bool { return s.whole() && s.facts.Seal == s.seal(plan) }

// digest is short, for a comment: it tells changes, it does not withstand who
// means to deceive.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

// readTable reads the table. That there is none is no error.
func readTable(conn *nftables.Conn) (seen, error) {
	t := kernelTable(TableName)
	flags, portID, exists, err := readFlags(t.Name)
	if err != nil || !exists {
		return seen{}, err
	}
	found := seen{exists: true, flags: flags, portID: portID}
	comments, count, chains, err := readChains(conn, t)
	if err != nil {
		return seen{}, fmt.Errorf("read table inet %s: %w", t.Name, explain(err))
	}
	found.facts, found.ours = parseFacts(comments)
	if !found.ours {
		// One that was killed between making its table and filling it.
		found.ours = chains == "" && flags&flagsHeld == flagPersist
		return found, nil
	}
	sets, err := readSets(conn, t)
	if err != nil {
		return seen{}, fmt.Errorf("read table inet %s: %w", t.Name, explain(err))
	}
	found.body, found.comments, found.rules = chains+sets, comments, count
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
// chains and a print of those.
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
		if c.Name == factsChain {
			for _, rule := range rules {
				comments = append(comments, comment(rule.UserData))
			}
			continue
		}
		count += len(rules)
		var handles []uint64
		for _, rule := range rules {
			handles = append(handles, rule.Handle)
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
		if s.Dynamic || s.Constant { // packets fill it, or nobody can change it
			prints = append(prints, fmt.Sprintln(s.Name))
			continue
		}
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
