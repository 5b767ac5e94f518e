package config

import (
	"encoding/json"
	"fmt"

	"sluice/redir/nearest"
)

// nearestOf is what an error about a value ends with that is none of some choices: the
// one that was meant most likely, by its meaning or its letters. Empty: none is near.
func nearestOf(n node, choices []string) string {
	text := ""
	switch v := n.value.(type) {
	case string:
		text = v
	case json.Number:
		text = v.String()
	case bool:
		text = fmt.Sprint(v)
	}
	word := spelled(text)
	if len(word) == 0 || len(word) > longestWord {
		return ""
	}
	for _, c := range choices {
		if squashed(spelled(c)) == squashed(word) {
			return fmt.Sprintf("; write %q", c)
		}
	}
	meant := within(alikeValues[word], choices)
	if near, ok := nearest.Close(word, choices); ok && len(meant) == 0 && len(word) > 3 {
		meant = []string{near}
	}
	if len(meant) == 0 {
		return ""
	}
	return fmt.Sprintf("; the nearest is %q", meant[0])
}

// longestWord bounds in bytes what is looked for among words: the search costs its
// length for each of them.
const longestWord = 64
