package config

import (
	"strconv"
	"time"

	"sluice/redir/source"
	"sluice/redir/value"
)

// objectReader reads the values of one object.
type objectReader struct {
	*document
	node    node
	path    string
	members members
}

// fault is an error about the value of a key.
func (r *objectReader) fault(key string, n node, format string, args ...any) error {
	path := key
	if r.path != "" {
		path = r.path + "." + key
	}
	return r.errorf(n.offset, path, format, args...)
}

// text is a string that is not empty; "" without the key.
func (r *objectReader) text(key, wanted string) (string, error) {
	n, ok := r.members.find(key)
	if !ok {
		return "", nil
	}
	text, _ := n.value.(string)
	if text == "" {
		return "", r.fault(key, n, "want %s, not %s", wanted, n)
	}
	if len(text) > longestText {
		return "", r.fault(key, n, "%d bytes: want %d at most", len(text), longestText)
	}
	return text, nil
}

func (r *objectReader) portOf(key string, n node) (uint16, error) {
	text, isNumber := Integer.text(n)
	port, err := strconv.ParseUint(text, 10, 16)
	if !isNumber || err != nil || port == 0 {
		return 0, r.fault(key, n, "want a number from 1 to 65535, not %s", n)
	}
	return uint16(port), nil
}

// leastTimeout and mostTimeout bound every timeout: one is as short as a timer can be
// kept, the other longer than a gateway runs.
const leastTimeout, mostTimeout = time.Millisecond, 365 * 24 * time.Hour

// timeout is 0 without the key.
func (r *objectReader) timeout(key string) (time.Duration, error) {
	n, ok := r.members.find(key)
	if !ok {
		return 0, nil
	}
	text, ok := Duration.text(n)
	timeout, err := value.Duration(text)
	if !ok || err != nil {
		return 0, r.fault(key, n, "want %s, not %s", Key{Kind: Duration}.wanted(), n)
	}
	if timeout < leastTimeout || timeout > mostTimeout {
		return 0, r.fault(key, n, "want a time from %s to %s, not %s", value.DurationText(leastTimeout), value.DurationText(mostTimeout), n)
	}
	return timeout, nil
}

// mark is 0 without the key.
func (r *objectReader) mark(key string) (uint32, error) {
	n, ok := r.members.find(key)
	if !ok {
		return 0, nil
	}
	text, isMark := Text.text(n)
	mark, err := value.Unsigned(text, 32)
	if !isMark || err != nil || mark == 0 {
		return 0, r.fault(key, n, `want a mark other than 0, as 18 or "0x12", not %s`, n)
	}
	return uint32(mark), nil
}

// source is none without the key.
func (r *objectReader) source(key string) (s source.Source, err error) {
	n, ok := r.members.find(key)
	if !ok {
		return s, nil
	}
	text, _ := n.value.(string)
	if s, err = source.Parse(text); err != nil {
		return s, r.fault(key, n, "%v", err)
	}
	return s, nil
}
