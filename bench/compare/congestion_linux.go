package compare

import (
	"fmt"
	"slices"

	"sluice/bench/lab"
)

// Congestions are the congestion controls to measure with: those asked for, as far as
// the kernel has them all; else the machine's and, where there is one, cubic.
func Congestions(asked []string) ([]string, error) {
	for i, name := range asked {
		if err := lab.CheckCongestion(name); err != nil {
			return nil, err
		}
		if slices.Contains(asked[:i], name) {
			return nil, fmt.Errorf("congestion control %q is named twice", name)
		}
	}
	if len(asked) > 0 {
		return asked, nil
	}
	own, err := lab.Congestion()
	if err != nil {
		return nil, fmt.Errorf("the machine's congestion control: %w", err)
	}
	if own == cubic || lab.CheckCongestion(cubic) != nil {
		return []string{own}, nil
	}
	return []string{own, cubic}, nil
}

// setCongestion has the labs as a work wants them. A work over UDP leaves them as they
// are.
func (r *rig) setCongestion(name string) error {
	if name == "" || name == r.congestion {
		return nil
	}
	r.congestion = ""
	for _, l := range r.labs {
		if err := l.SetCongestion(name); err != nil {
			return err
		}
	}
	r.congestion = name
	return nil
}
