package torture

import (
	"fmt"
	"slices"

	"sluice/redir/nearest"
)

// choose picks names of known in known's order; all where none is given. A name that
// is not known is answered with the nearest one.
func choose(known, wanted []string) ([]string, error) {
	if len(wanted) == 0 {
		return known, nil
	}
	for _, name := range wanted {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("no figure %q; the nearest is %q (--list shows all)", name, nearest.Word(name, known))
		}
	}
	var picked []string
	for _, name := range known {
		if slices.Contains(wanted, name) {
			picked = append(picked, name)
		}
	}
	return picked, nil
}
