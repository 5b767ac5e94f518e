package config

import (
	"encoding/json"
	"fmt"
	"strconv"

	"sluice/redir/value"
)

// Kind is which JSON values a setting takes.
type Kind uint8

// The kinds of settings.
const (
	String   Kind = iota // a string
	Bool                 // true or false
	Integer              // a whole number
	Duration             // a string as "5m", or a number of seconds
	Text                 // a string or a number, which Key.Check understands
)

// Key is one setting that a file may hold. It is never changed here.
type Key struct {
	Object string // the object that it stands in, as "rules"; empty: the file's own
	Name   string
	Kind   Kind
	List   bool     // takes one or a list of them
	Enum   []string // what it may be; nil: anything of its kind
	// Check finds fault with one element, by its text; nil: nothing more to
	// check.
	Check func(text string) error
}

// Path names the key: rules.iface.
func (k Key) Path() string {
	if k.Object == "" {
		return k.Name
	}
	return k.Object + "." + k.Name
}

// longestText bounds one value, in bytes: as much as the longest path (PATH_MAX).
const longestText = 4096

// texts are the node's value or values as the flag would take them.
func (d *document) texts(k Key, n node) []string {
	if _, list := n.value.([]node); list && !k.List {
		d.errorf(n.offset, k.Path(), "want %s, not a list", k.wanted())
		return nil
	}
	texts := []string{}
	for _, element := range n.elements() {
		if long, ok := element.value.(string); ok && len(long) > longestText {
			d.errorf(element.offset, k.Path(), "%d bytes in one value: want %d at most, beginning %.20q", len(long), longestText, long)
			continue
		}
		text, ok := k.Kind.text(element)
		if k.Enum != nil {
			text, ok = k.choice(element)
		}
		if !ok {
			d.errorf(element.offset, k.Path(), "want %s, not %s%s", k.wanted(), element, d.nearestOf(element, k.Enum))
			continue
		}
		if k.Check != nil {
			if err := k.Check(text); err != nil {
				d.errorf(element.offset, k.Path(), "%v", err)
			}
		}
		texts = append(texts, text)
	}
	return texts
}

// text is the value as the flag would take it; false if it is of another kind. What
// stands as a string may as well stand without quotes, and the other way round.
func (k Kind) text(n node) (text string, ok bool) {
	switch v := n.value.(type) {
	case string:
		text = v
	case json.Number:
		text, ok = v.String(), k != String
	case bool:
		text, ok = strconv.FormatBool(v), k == Bool
		if k == Text && !v {
			return "off", true
		}
	}
	if _, isString := n.value.(string); !ok && !isString {
		return "", false
	}
	switch k {
	case Duration:
		d, err := value.Duration(text)
		return value.DurationText(d), err == nil
	case Integer:
		i, err := value.Integer(text, 64)
		return strconv.FormatInt(i, 10), err == nil
	case Bool:
		on, err := value.Switch(text)
		return strconv.FormatBool(on), err == nil
	}
	return text, true
}

// choice is the one of k.Enum that the node means.
func (k Key) choice(n node) (string, bool) {
	switch n.value.(type) {
	case string, bool, json.Number:
		return value.Choice(fmt.Sprint(n.value), k.Enum)
	}
	return "", false
}

// wanted describes the values that the key takes.
func (k Key) wanted() string {
	want := []string{
		String: "a string", Bool: "true or false", Integer: "a whole number",
		Duration: `a time as "5m", or a number of seconds`, Text: "a string or a number",
	}[k.Kind]
	if k.Enum != nil {
		want = value.OneOf(k.Enum)
	}
	if k.List {
		want += ", or a list of them"
	}
	return want
}
