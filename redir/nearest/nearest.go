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

// Distance is the Levenshtein distance in bytes, row by row.
func Distance(a, b string) int {
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
