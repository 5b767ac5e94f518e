package config

import (
	"bytes"
	"slices"
)

// blanked is a text of which comments are spaces: of the same length, and right also
// where the text is no JSON. unclosed is where a comment begins that nothing ends; -1:
// none does.
func blanked(text []byte) (plain []byte, unclosed int) {
	plain = slices.Clone(text)
	quoted := false
	for at := 0; at < len(plain); at++ {
		switch c := plain[at]; {
		case quoted && c == '\\':
			at++
		case c == '"':
			quoted = !quoted
		case c == '\n': // which no text holds
			quoted = false
		case c == '/' && !quoted:
			size, closed := commentAt(plain[at:])
			if !closed {
				return blank(plain, at, len(plain)), at
			}
			plain = blank(plain, at, at+size)
			at += max(size-1, 0)
		}
	}
	return plain, -1
}

// commentAt is the size of the comment that text begins with, 0 for none, and whether
// it ends.
func commentAt(text []byte) (size int, closed bool) {
	end := []byte("\n")
	switch {
	case bytes.HasPrefix(text, []byte("/*")):
		end = []byte("*/")
	case !bytes.HasPrefix(text, []byte("//")):
		return 0, true
	}
	size = bytes.Index(text[2:], end)
	if size < 0 {
		return len(text), string(end) == "\n"
	}
	return 2 + size + len(end), true
}

// blank makes spaces of what is from and before to, but for the ends of lines.
func blank(text []byte, from, to int) []byte {
	for i := range text[from:to] {
		if c := &text[from+i]; *c != '\n' {
			*c = ' '
		}
	}
	return text
}
