// Package nearest finds the known word that somebody most likely meant.
package nearest

import "strings"

// Word is the known word that text most likely was meant to be: one of
// which it is a part, or else the one with the least edit distance.
func Word(text string, known []string) string {
	best, least := "", -1
	for _, word := range known {
		d := distance(text, word)
		if len(text) > 2 && strings.Contains(word, text) {
			d = 1
		}
		if least < 0 || d < least {
			best, least = word, d
		}
	}
	return best
}

// distance is the Levenshtein distance in bytes, row by row.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
