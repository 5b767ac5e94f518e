package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"sluice/redir/nearest"
	"sluice/redir/value"
)

// unknown notes a key that is not known where it stands.
func (r *objectReader) unknown(m member, known []string) {
	if r.full() {
		return
	}
	r.errorf(m.offset, r.path, "unknown key %.64q; %s", m.key, r.meant(m, placeOf(r.path, known), known))
}

// meant says of a key that is not known there what was meant most likely, by its
// spelling, its meaning, and where else it is known.
func (d *document) meant(m member, at place, known []string) string {
	word := spelled(m.key[:min(longestWord, len(m.key))])
	for _, key := range known {
		if squashed(key) == squashed(word) {
			return fmt.Sprintf("write %q", key)
		}
	}
	if is := apart(word, m.node, known); is != "" {
		return is
	}
	if is := instead(word, at); is != "" {
		return is
	}
	if keys := within(alike[word], known); len(keys) > 0 {
		return "sluice calls it " + value.OneOf(keys)
	}
	for _, key := range known {
		if len(word) > 3 && nearest.Distance(word, key) <= 1 {
			return fmt.Sprintf("the nearest known one is %q", key)
		}
	}
	all := d.everything()
	if is := elsewhere(word, all, at, known); is != "" {
		return is
	}
	return lettered(word, all, at, known)
}

// spelled is a key as sluice would spell it: udp_timeout for udpTimeout, UDP_TIMEOUT,
// --udp-timeout and SLUICE_UDP_TIMEOUT.
func spelled(key string) string {
	var b strings.Builder
	lower := false // the letter before is
	for _, c := range strings.TrimSpace(strings.TrimLeft(key, "-")) {
		switch {
		case c == '-' || c == '.' || c == ' ':
			c = '_'
		case unicode.IsUpper(c) && lower:
			b.WriteByte('_')
		}
		lower = unicode.IsLower(c)
		b.WriteRune(unicode.ToLower(c))
	}
	return strings.TrimPrefix(b.String(), "sluice_")
}

// squashed is a spelling without what parts its words: udptimeout.
func squashed(word string) string { return strings.ReplaceAll(word, "_", "") }

// apart finds the known keys that somebody wrote in two storeys: {"udp": {"timeout": 5}},
// {"timeouts": {"udp": 5}}.
func apart(word string, n node, known []string) string {
	inner, _ := n.value.(members)
	var keys []string
	for _, m := range inner {
		part := spelled(m.key)
		keys = append(keys, word+"_"+part, part+"_"+strings.TrimSuffix(word, "s"))
	}
	if keys = within(keys, known); len(keys) == 0 {
		return ""
	}
	return fmt.Sprintf("it is no object of its own: write %s", value.OneOf(keys))
}

// within are those of the words that are known, each once.
func within(words, known []string) (both []string) {
	for _, word := range words {
		if slices.Contains(known, word) && !slices.Contains(both, word) {
			both = append(both, word)
		}
	}
	return both
}

// lettered is the hint for a word that means nothing: what is near by its letters.
func lettered(word string, all []placed, at place, known []string) string {
	if key, near := nearest.Close(word, known); near {
		return fmt.Sprintf("the nearest known one is %q", key)
	}
	if key := longestIn(word, known); key != "" {
		return fmt.Sprintf("the nearest known one is %q", key)
	}
	keys := map[string]place{}
	for _, p := range slices.Backward(all) {
		keys[p.key] = p.at
	}
	if key, near := nearest.Close(word, slices.Sorted(maps.Keys(keys))); near && len(word) > 3 {
		return fmt.Sprintf("the nearest known one is %q, %s", key, keys[key].from(at))
	}
	if at.hasSettings() {
		return "sluice has nothing like it: sluice run --help all tells of every setting"
	}
	return "sluice has nothing like it: want " + value.OneOf(known)
}

// longestIn is the longest of the known keys that word holds, as iface in iface_name;
// empty: none that is more than chance.
func longestIn(word string, known []string) (longest string) {
	for _, key := range known {
		if len(key) > max(3, len(longest)) && strings.Contains("_"+word+"_", "_"+key+"_") {
			longest = key
		}
	}
	return longest
}
