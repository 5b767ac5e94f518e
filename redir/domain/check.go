package domain

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// mostName is the length of the longest name in bytes, and mostLabel that of a
// label (RFC 1035 section 2.3.4).
const mostName, mostLabel = 253, 63

// lower is the byte of a name in lower case; 0 where it cannot stand in one.
func lower(c byte) byte {
	switch {
	case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		return c
	case c >= 'A' && c <= 'Z':
		return c + 'a' - 'A'
	}
	return 0
}

// appendLower appends the text in lower case. It finds fault with what cannot
// stand in a name.
func appendLower(b []byte, text string) ([]byte, error) {
	for i := range len(text) {
		c := lower(text[i])
		if c == 0 {
			return nil, stray(text, i)
		}
		b = append(b, c)
	}
	return b, nil
}

// stray says what is amiss with a text that has something else at i than a name.
func stray(text string, i int) error {
	const alone = "want the name alone, as example.com"
	r, _ := utf8.DecodeRuneInString(text[i:])
	switch {
	case strings.Contains(text, "://"):
		return fmt.Errorf("%.60q: a URL: %s", text, alone)
	case r == ' ' || r == '\t':
		return fmt.Errorf("%.60q: a space in a name: want one name, as example.com", text)
	case r == ':':
		return fmt.Errorf("%.60q: no name has a colon, and ports are no part of names: %s", text, alone)
	case r == '/':
		return fmt.Errorf("%.60q: no name has a slash: %s", text, alone)
	case r == '*':
		return fmt.Errorf("%.60q: no patterns: the suffix .example.com stands for all names below example.com", text)
	case r >= utf8.RuneSelf && r != utf8.RuneError:
		return fmt.Errorf("%.60q: %q is not ASCII: want the name as DNS has it, in punycode: xn--...", text, r)
	}
	return fmt.Errorf("%.60q: %q cannot stand in a name: %s", text, r, alone)
}

// checkLabels finds fault with a name in lower case.
func checkLabels(name []byte) error {
	if len(name) > mostName {
		return fmt.Errorf("%.60q: %d bytes: a name has %d at most", name, len(name), mostName)
	}
	numeric, begin := true, 0
	for i := 0; i <= len(name); i++ {
		if i < len(name) && name[i] != '.' {
			numeric = numeric && name[i] >= '0' && name[i] <= '9'
			continue
		}
		switch {
		case i == begin && len(name) == 0:
			return errors.New("an empty name: want one, as example.com")
		case i == begin:
			return fmt.Errorf("%.60q: a dot too many: want a name, as example.com", name)
		case i-begin > mostLabel:
			return fmt.Errorf("%.60q: %d bytes between dots: there are %d at most", name, i-begin, mostLabel)
		case i == len(name) && numeric: // RFC 3696 section 2
			return fmt.Errorf("%.60q: no name ends in a number: want addresses among addresses, as 10.0.0.0/8", name)
		}
		numeric, begin = true, i+1
	}
	return nil
}
