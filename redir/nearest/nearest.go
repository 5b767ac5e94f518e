// Package nearest finds the known word that somebody most likely meant.
package nearest

import "strings"

// Word is the known word that text most likely was meant to be: one of
// which it is a part, or else the one with the least edit distance.
func Word(text string, known []string) string {
	best, least := "", -1
	for _, word := range known {
		d := Distance(text, word)
		if len(text) > 2 && strings.Contains(word, text) {
			d = 1
		}
		if least < 0 || d < least {
			best, least = word, d
		}
	}
	return best
}

// Close is Word, and whether that is so near that text can be a slip of it: it is a
// part of it, or a third of its letters at most are wrong.
func Close(text string, known []string) (string, bool) {
	word := Word(text, known)
	part := len(text) > 2 && strings.Contains(word, text)
	return word, part || word != "" && Distance(text, word) <= max(1, len(text)/3)
}

// Distance is how many slips lead from one word to the other: a byte too many, too few
// or wrong, or two that changed places (optimal string alignment).
func Distance(a, b string) int {
	previous, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			cost := row[j]
			if a[i] != b[j] {
				cost++
			}
			next[j+1] = min(cost, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], previous[j-1]+1)
			}
		}
		previous, row = row, next
	}
	return row[len(b)]
}
