package domain

import (
	"bytes"
	"errors"
	"fmt"
)

// Builder gathers the names of a Set. The zero value is ready. One goroutine owns
// it; it keeps nothing of the texts that it is given. Names may be in any case and
// end in a dot.
type Builder struct {
	texts   []byte // the entries
	entries int
	words   []string
}

// AddExact takes a name that stands for itself alone.
func (b *Builder) AddExact(name string) error { return b.add(name, itself) }

// AddSuffix takes a name that stands for itself and those below it; with a dot in
// front, for those below it alone.
func (b *Builder) AddSuffix(name string) error {
	if len(name) > 0 && name[0] == '.' {
		return b.add(name[1:], below)
	}
	return b.add(name, itself|below)
}

func (b *Builder) add(name string, stands byte) error {
	if n := len(name); n > 1 && name[n-1] == '.' {
		name = name[:n-1]
	}
	at := len(b.texts)
	texts, err := appendLower(append(b.texts, stands, byte(len(name))), name)
	if err != nil {
		return err
	}
	if err := checkLabels(texts[at+headEntry:]); err != nil {
		return err
	}
	if uint64(len(texts)) > mostTexts {
		return errors.New("4 GiB of names: want fewer in one set")
	}
	b.texts = texts
	b.entries++
	return nil
}

// AddKeyword takes a text that stands for each name in which it is.
func (b *Builder) AddKeyword(word string) error {
	text, err := appendLower(nil, word)
	switch {
	case err != nil:
		return err
	case len(text) == 0:
		return errors.New("an empty keyword is in each name: want some of a name, as example")
	case len(text) > mostName:
		return fmt.Errorf("%.60q: %d bytes: a name has %d at most", text, len(text), mostName)
	}
	b.words = append(b.words, string(text))
	return nil
}

// Set is what was added. The Builder is empty afterwards.
func (b *Builder) Set() *Set {
	s := &Set{names: newTable(bytes.Clone(b.texts), b.entries), words: newKeywords(b.words)}
	*b = Builder{}
	return s
}
