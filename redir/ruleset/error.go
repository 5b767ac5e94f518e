package ruleset

import "fmt"

// Error says what is wrong with a file, and where.
type Error struct {
	File    string
	Line    int    // from 1
	Path    string // of the value: rules[3].port; empty: the line is all
	Problem string
}

func (e *Error) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Problem)
	}
	return fmt.Sprintf("%s:%d: %s: %s", e.File, e.Line, e.Path, e.Problem)
}
