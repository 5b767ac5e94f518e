package ruleset

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// parseList reads a list: one rule of destinations and names, none where nothing is
// in the list.
func parseList(name string, in *bufio.Reader) (*File, error) {
	var b Builder
	for number := 1; ; number++ {
		line, err := in.ReadSlice('\n')
		ends := errors.Is(err, io.EOF)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return nil, &Error{name, number, "", fmt.Sprintf("a line of more than %d KiB: is this a list?", partSize>>10)}
		case err != nil && !ends:
			return nil, fmt.Errorf("rule set: %w", err)
		}
		if err := addLine(&b, withoutComment(line)); err != nil {
			return nil, &Error{name, number, "", err.Error()}
		}
		if ends {
			break
		}
	}
	c := b.Conditions()
	if c.Dests == nil && c.Names == nil {
		return &File{}, nil
	}
	return &File{Rules: []Rule{{Conditions: c}}}, nil
}

// withoutComment is the line without what stands behind #, ; or //, where these
// begin it or follow a space, and without spaces at its ends.
func withoutComment(line []byte) []byte {
	for i, c := range line {
		begins := c == '#' || c == ';' || c == '/' && i+1 < len(line) && line[i+1] == '/'
		if begins && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t') {
			line = line[:i]
			break
		}
	}
	return bytes.TrimSpace(line)
}

// addLine takes a value or, as hosts(5) has it, an address and the names that it is
// for.
func addLine(b *Builder, line []byte) error {
	i := bytes.IndexAny(line, " \t")
	switch {
	case len(line) == 0:
		return nil
	case i < 0:
		return addValue(b, text(line))
	}
	value, rest := text(line[:i]), text(line[i:])
	if strings.Contains(value, "/") || !isAddress(value) {
		return fmt.Errorf("%.60q: want one prefix, address or name a line", line)
	}
	for name := range strings.FieldsSeq(rest) {
		if name == value { // a host that is named by its address
			continue
		}
		if err := b.AddName(name); err != nil {
			return err
		}
	}
	return nil
}

// addValue takes a prefix, an address or a name. A name stands for those below it
// too, but for one behind full: .NAME and *.NAME stand for those below it alone.
func addValue(b *Builder, value string) error {
	if isAddress(value) {
		return b.AddDest(value)
	}
	kind, rest, _ := strings.Cut(value, ":")
	switch kind {
	case "full":
		return b.AddName(rest)
	case "domain":
		return b.AddSuffix(rest)
	case "keyword":
		return b.AddKeyword(rest)
	case "regexp", "include":
		return fmt.Errorf("%.60q: %s: is not known: want a name, or one behind full:, domain: or keyword:", value, kind)
	}
	if strings.HasPrefix(value, "*.") {
		value = value[1:]
	}
	return b.AddSuffix(value)
}

// isAddress tells a prefix or an address, right or not, from a name: it has digits
// and dots only, or a colon and what else IPv6 has, before a slash.
func isAddress(value string) bool {
	digits, colon := true, false
	for i := range len(value) {
		switch c := value[i]; {
		case c == '/' || c == '%':
			return i > 0 && (digits || colon)
		case c >= '0' && c <= '9' || c == '.':
		case c == ':':
			digits, colon = false, true
		case c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F':
			digits = false
		default:
			return false
		}
	}
	return digits || colon
}
