package config

import (
	"fmt"
	"strconv"
	"time"

	"sluice/redir/source"
	"sluice/redir/value"
)

// objectReader reads the values of one object. What is wrong with one is noted, and
// its reading gives the zero value.
type objectReader struct {
	*document
	node    node
	path    string
	members members
	before  int // faults, when reading began
}

// fault notes an error about the value of a key.
func (r *objectReader) fault(key string, n node, format string, args ...any) {
	r.errorf(n.offset, r.at(key), format, args...)
}

// at is the path of a key.
func (r *objectReader) at(key string) string {
	if r.path == "" {
		return key
	}
	return r.path + "." + key
}

// object takes the node as one, and notes where it is none.
func (r *objectReader) object() bool {
	var ok bool
	r.before = len(*r.faults)
	if _, list := r.node.value.([]node); list && r.path == "rules" {
		r.errorf(r.node.offset, r.path, `want an object, which says what is diverted, not a list; rules that lead to outbounds stand in "route": {"rules": [...]}`)
		return false
	}
	if r.members, ok = r.node.value.(members); !ok {
		r.errorf(r.node.offset, r.path, "want an object, not %s", r.node)
	}
	return ok
}

// lacks notes what the object has not, unless something else is wrong with it: that
// mostly is what it should have been.
func (r *objectReader) lacks(problems ...string) {
	if len(*r.faults) > r.before {
		return
	}
	for _, problem := range problems {
		if problem != "" {
			r.errorf(r.node.offset, r.path, "%s", problem)
		}
	}
}

// without is a problem where the object has no such key.
func (r *objectReader) without(key, wanted string) (problem string) {
	if _, ok := r.members.find(key); ok {
		return ""
	}
	if wanted != "" {
		wanted = ": want " + wanted
	}
	return fmt.Sprintf("has no %q%s", key, wanted)
}

// text is a string that is not empty; "" without the key.
func (r *objectReader) text(key, wanted string) string {
	n, ok := r.members.find(key)
	if !ok {
		return ""
	}
	text, _ := n.value.(string)
	if text == "" {
		r.fault(key, n, "want %s, not %s", wanted, n)
	}
	if len(text) > longestText {
		r.fault(key, n, "%d bytes: want %d at most", len(text), longestText)
		return ""
	}
	return text
}

// portOf is 0 where the node is no port.
func (r *objectReader) portOf(key string, n node) uint16 {
	text, isNumber := Integer.text(n)
	port, err := strconv.ParseUint(text, 10, 16)
	if !isNumber || err != nil || port == 0 {
		r.fault(key, n, "want a number from 1 to 65535, not %s", n)
		return 0
	}
	return uint16(port)
}

// leastTimeout and mostTimeout bound every timeout: one is as short as a timer can be
// kept, the other longer than a gateway runs.
const leastTimeout, mostTimeout = time.Millisecond, 365 * 24 * time.Hour

// timeout is 0 without the key.
func (r *objectReader) timeout(key string) time.Duration {
	n, ok := r.members.find(key)
	if !ok {
		return 0
	}
	text, ok := Duration.text(n)
	timeout, err := value.Duration(text)
	switch {
	case !ok || err != nil:
		r.fault(key, n, "want %s, not %s", Key{Kind: Duration}.wanted(), n)
	case timeout < leastTimeout || timeout > mostTimeout:
		r.fault(key, n, "want a time from %s to %s, not %s", value.DurationText(leastTimeout), value.DurationText(mostTimeout), n)
	default:
		return timeout
	}
	return 0
}

// mark is 0 without the key.
func (r *objectReader) mark(key string) uint32 {
	n, ok := r.members.find(key)
	if !ok {
		return 0
	}
	text, isMark := Text.text(n)
	mark, err := value.Unsigned(text, 32)
	if !isMark || err != nil || mark == 0 {
		r.fault(key, n, `want a mark other than 0, as 18 or "0x12", not %s`, n)
		return 0
	}
	return uint32(mark)
}

// source is none without the key.
func (r *objectReader) source(key string) (s source.Source) {
	n, ok := r.members.find(key)
	if !ok {
		return s
	}
	text, _ := n.value.(string)
	s, err := source.Parse(text)
	if err != nil {
		r.fault(key, n, "%v", err)
	}
	return s
}
