package config

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
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
func (d *document) texts(k Key, n node) ([]string, error) {
	if _, list := n.value.([]node); list && !k.List {
		return nil, d.errorf(n.offset, k.Path(), "want %s, not a list", k.wanted())
	}
	texts := []string{}
	for _, element := range n.elements() {
		if long, ok := element.value.(string); ok && len(long) > longestText {
			return nil, d.errorf(element.offset, k.Path(), "%d bytes in one value: want %d at most, beginning %.20q", len(long), longestText, long)
		}
		text, ok := k.Kind.text(element)
		if !ok || k.Enum != nil && !slices.Contains(k.Enum, text) {
			return nil, d.errorf(element.offset, k.Path(), "want %s, not %s", k.wanted(), element)
		}
		if k.Check != nil {
			if err := k.Check(text); err != nil {
				return nil, d.errorf(element.offset, k.Path(), "%v", err)
			}
		}
		texts = append(texts, text)
	}
	return texts, nil
}

// text is the value as the flag would take it; false if it is of another kind.
func (k Kind) text(n node) (string, bool) {
	switch value := n.value.(type) {
	case string:
		if k == Duration {
			d, err := time.ParseDuration(value)
			return DurationText(d), err == nil
		}
		return value, k == String || k == Text
	case bool:
		return strconv.FormatBool(value), k == Bool
	case json.Number:
		if k == Duration {
			d, err := time.ParseDuration(value.String() + "s")
			return DurationText(d), err == nil
		}
		whole := !strings.ContainsAny(value.String(), ".eE")
		return value.String(), k == Text || k == Integer && whole
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
		want = oneOf(k.Enum)
	}
	if k.List {
		want += ", or a list of them"
	}
	return want
}

// oneOf lists choices: "a", "b" or "c".
func oneOf(choices []string) string {
	var quoted []string
	for _, c := range choices {
		quoted = append(quoted, strconv.Quote(c))
	}
	last := len(quoted) - 1
	if last < 1 {
		return strings.Join(quoted, "")
	}
	return fmt.Sprintf("%s or %s", strings.Join(quoted[:last], ", "), quoted[last])
}

// DurationText is how a file and a flag give a time: 5m where Duration.String says 5m0s.
func DurationText(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
