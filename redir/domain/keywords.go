package domain

import (
	"slices"
	"sort"
	"strings"
)

// keywords finds texts within a name.
type keywords struct {
	// words are sorted, and none begins with another: of those that are not behind
	// a text, only the last can be what it begins with.
	words []string
	// starts are the numbers of the first word with each first byte, and one more.
	starts [257]uint32
}

// newKeywords sorts the words; without any it is nil.
func newKeywords(words []string) *keywords {
	if len(words) == 0 {
		return nil
	}
	slices.Sort(words)
	k := &keywords{}
	for _, word := range words {
		if n := len(k.words); n == 0 || !strings.HasPrefix(word, k.words[n-1]) {
			k.words = append(k.words, word)
			k.starts[int(word[0])+1]++
		}
	}
	for c := 1; c < len(k.starts); c++ {
		k.starts[c] += k.starts[c-1]
	}
	k.words = slices.Clip(k.words)
	return k
}

// in reports whether a word is in the name.
func (k *keywords) in(name string) bool {
	if k == nil {
		return false
	}
	for i := range len(name) {
		words := k.words[k.starts[name[i]]:k.starts[int(name[i])+1]]
		if len(words) == 0 {
			continue
		}
		rest := name[i:]
		behind := sort.Search(len(words), func(j int) bool { return words[j] > rest })
		if behind > 0 && strings.HasPrefix(rest, words[behind-1]) {
			return true
		}
	}
	return false
}

func (k *keywords) all() []string {
	if k == nil {
		return nil
	}
	return k.words
}
