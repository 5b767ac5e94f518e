package pressure

import (
	"bytes"
	"strconv"
)

// number is the first number of text, as a file that holds one has it; false for
// none, as "max".
func number(text []byte) (int64, bool) {
	first, _, _ := bytes.Cut(bytes.TrimSpace(text), []byte{'\n'})
	n, err := strconv.ParseInt(string(first), 10, 64)
	return n, err == nil
}

// field is the number after a word at the beginning of a line: "MemTotal: 16 kB",
// "inactive_file 4096".
func field(text []byte, word string) (int64, bool) {
	for line := range bytes.Lines(text) {
		if words := bytes.Fields(line); len(words) > 1 && string(words[0]) == word {
			n, err := strconv.ParseInt(string(words[1]), 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}

// labelled is the number after a label in the line that begins with a word, as in
// "TCP: inuse 5 mem 1" or "full avg10=0.25 total=9".
func labelled(text []byte, word, label string) (float64, bool) {
	for line := range bytes.Lines(text) {
		words := bytes.Fields(line)
		if len(words) == 0 || string(words[0]) != word {
			continue
		}
		for i, w := range words[1:] {
			value, found := bytes.CutPrefix(w, []byte(label+"="))
			if !found && string(w) == label && i+2 < len(words) {
				value, found = words[i+2], true
			}
			if found {
				n, err := strconv.ParseFloat(string(value), 64)
				return n, err == nil
			}
		}
	}
	return 0, false
}

// last is the last number of a line of numbers.
func last(text []byte) (int64, bool) {
	words := bytes.Fields(text)
	if len(words) == 0 {
		return 0, false
	}
	return number(words[len(words)-1])
}
