package config

import (
	"fmt"

	"sluice/redir/value"
)

// list calls take for each element of a key's list, or for the value that stands for
// one. An empty list is an error: nobody could tell whether it means all or none.
func (r *objectReader) list(key string, take func(n node, path string)) {
	n, ok := r.members.find(key)
	if !ok {
		return
	}
	elements, isList := n.value.([]node)
	switch {
	case !isList:
		take(n, r.at(key))
	case len(elements) == 0:
		r.fault(key, n, "an empty list: say what it holds, or leave the key out")
	}
	for i, element := range elements {
		take(element, fmt.Sprintf("%s[%d]", r.at(key), i))
	}
}

// texts calls take for each text of a key. What it finds fault with is an error at
// that place.
func (r *objectReader) texts(key, wanted string, take func(text string) error) {
	r.list(key, func(n node, path string) {
		text, ok := n.value.(string)
		switch {
		case !ok || text == "":
			r.errorf(n.offset, path, "want %s, not %s", wanted, n)
			return
		case len(text) > longestText:
			r.errorf(n.offset, path, "%d bytes: want %d at most", len(text), longestText)
			return
		}
		if err := take(text); err != nil {
			r.errorf(n.offset, path, "%v%s", err, elsewhereInRule(text))
		}
	})
}

// choice is the text of a key, one of some; the first where there is none.
func (r *objectReader) choice(key string, choices ...string) string {
	n, ok := r.members.find(key)
	if !ok {
		return choices[0]
	}
	text, _ := n.value.(string)
	meant, ok := value.Choice(text, choices)
	if !ok {
		r.fault(key, n, "want %s, not %s%s", value.OneOf(choices), n, r.nearestOf(n, choices))
		return choices[0]
	}
	return meant
}

// truth is a key's true or false.
func (r *objectReader) truth(key string) bool {
	n, ok := r.members.find(key)
	if !ok {
		return false
	}
	text, ok := Bool.text(n)
	if !ok {
		r.fault(key, n, "want true or false, not %s", n)
	}
	return text == "true"
}

// adder is a take of texts that parses each and keeps it.
func adder[T any](into *[]T, parse func(text string) (T, error)) func(text string) error {
	return func(text string) error {
		value, err := parse(text)
		if err == nil {
			*into = append(*into, value)
		}
		return err
	}
}

// asText is the parse of texts that are kept as they are.
func asText(text string) (string, error) { return text, nil }

// checked is the parse of texts that are kept as they are, if check finds no fault.
func checked(check func(text string) error) func(text string) (string, error) {
	return func(text string) (string, error) { return text, check(text) }
}
