package route

// Sets are rule sets that were read. They never change; a nil one has none.
type Sets struct{ byTag map[string]*ruleSet }

// ruleSet is one file.
type ruleSet struct {
	rules []matcher // any of which flows meet that are in the set
}

func (s *Sets) find(tag string) (*ruleSet, bool) {
	if s == nil {
		return nil, false
	}
	set, ok := s.byTag[tag]
	return set, ok
}
