package route

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"sluice/redir/ruleset"
)

// Sets are rule sets that were read. They never change; a nil one has none.
type Sets struct{ byTag map[string]*ruleSet }

// ruleSet is one file.
type ruleSet struct {
	spec  SetSpec
	file  os.FileInfo // as it was when it was read
	rules []matcher   // any of which flows meet that are in the set
}

// ReadSets reads the files of rule sets, but for those of before (nil: none) that
// have not changed since. Errors name the key, or the file and the line.
func ReadSets(specs []SetSpec, before *Sets) (*Sets, error) {
	s := &Sets{byTag: make(map[string]*ruleSet, len(specs))}
	for i, spec := range specs {
		set, err := readSet(spec, before)
		if err != nil {
			return nil, fmt.Errorf("route.rule_set[%d]: %w", i, err)
		}
		s.byTag[spec.Tag] = set
	}
	return s, nil
}

func (s *Sets) find(tag string) (*ruleSet, bool) {
	if s == nil {
		return nil, false
	}
	set, ok := s.byTag[tag]
	return set, ok
}

// unchanged tells whether the file is the one that was read.
func (r *ruleSet) unchanged(spec SetSpec, file os.FileInfo) bool {
	return r.spec.Path == spec.Path && r.spec.Format == spec.Format && os.SameFile(r.file, file) &&
		r.file.ModTime().Equal(file.ModTime()) && r.file.Size() == file.Size()
}

func readSet(spec SetSpec, before *Sets) (*ruleSet, error) {
	info, err := os.Stat(spec.Path)
	if err != nil {
		return nil, err
	}
	if old, ok := before.find(spec.Tag); ok && old.unchanged(spec, info) {
		return old, nil
	}
	file, err := ruleset.Read(spec.Path, spec.Format)
	if err != nil {
		return nil, err
	}
	set := &ruleSet{spec: spec, file: info}
	for i := range file.Rules {
		set.rules = append(set.rules, matcherOf(&file.Rules[i]))
	}
	if len(set.rules) == 0 { // nothing is in it, but it does not stand in the way of what it is merged into
		set.rules = []matcher{{hasDest: true}}
	}
	return set, nil
}

// News is a rule set that was read.
type News struct {
	Tag             string
	Networks, Names int // how many there are, those within others left out
}

// News are the sets that were read since before.
func (s *Sets) News(before *Sets) (all []News) {
	for tag, set := range s.byTag {
		if old, ok := before.find(tag); ok && old == set {
			continue
		}
		n := News{Tag: tag}
		for i := range set.rules {
			networks, names := set.rules[i].size()
			n.Networks, n.Names = n.Networks+networks, n.Names+names
		}
		all = append(all, n)
	}
	slices.SortFunc(all, func(a, b News) int { return strings.Compare(a.Tag, b.Tag) })
	return all
}

// size is how many networks and names conditions have.
func (m *matcher) size() (networks, names int) {
	networks, names = m.prefixes.Len()+m.sources.Len(), m.names.Len()
	for i := range m.rules {
		n, l := m.rules[i].size()
		networks, names = networks+n, names+l
	}
	return networks, names
}
