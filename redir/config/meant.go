package config

import "sluice/redir/nearest"

func meantType(node) string { return "" }

func meantWord(word string, known []string) string { return nearest.Word(word, known) }

// unknown notes a key that is none.
func (r *objectReader) unknown(m member, known []string) {
	r.errorf(m.offset, r.path, "unknown key %q; the nearest known one is %q", m.key, nearest.Word(m.key, known))
}

func (r *objectReader) knownSettings(keys []Key, object string, known []string) { r.known(known) }
