package torture

import (
	"fmt"
	"slices"
)

// choose picks names of known in known's order; all where none is given. A name that
// is not known is answered with the nearest one.
func choose(known, wanted []string) ([]string, error) {
	if len(wanted) == 0 {
		return known, nil
	}
	for _, name := range wanted {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("no figure %q; the nearest is %q (--list shows all)", name, nearest(name, known))
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

// nearest is the known name that takes the fewest edits.
func nearest(name string, known []string) string {
	return slices.MinFunc(known, func(a, b string) int { return edits(name, a) - edits(name, b) })
}

// edits is the Levenshtein distance in bytes.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		above := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := above
			if a[i] != b[j] {
				change++
			}
			above = row[j+1]
			row[j+1] = min(change, row[j]+1, above+1)
		}
	}
	return row[len(b)]
}
