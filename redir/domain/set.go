package domain

// Set is some names. It is never changed, so that any number of goroutines may ask
// at once. A nil one is empty.
type Set struct {
	names table
	words *keywords
}

// Match reports whether the name is in the set. It must be in lower case and
// without a dot at its end. It does not allocate.
func (s *Set) Match(name string) bool {
	return s != nil && (s.names.has(name, itself, below) || s.words.in(name))
}

// Len is how many names and keywords there are, those that come twice counted once.
func (s *Set) Len() int {
	if s == nil {
		return 0
	}
	return s.names.names + len(s.words.all())
}

// Covers reports whether each name that is in other is in s. It may say no of
// suffixes whose names s has one by one, which it does not look for.
func (s *Set) Covers(other *Set) bool {
	if s == nil || other == nil {
		return other.Len() == 0
	}
	for name, stands := range other.names.all() {
		if stands&itself != 0 && !s.Match(name) {
			return false
		}
		if stands&below != 0 && !s.names.has(name, below, below) && !s.words.in("."+name) {
			return false
		}
	}
	for _, word := range other.words.all() {
		if !s.words.in(word) {
			return false
		}
	}
	return true
}
