package value

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Integer reads a whole number of a size in bits.
func Integer(text string, bits int) (int64, error) {
	return number(text, func(s string) (int64, error) { return strconv.ParseInt(s, 0, bits) })
}

// Unsigned reads a whole number of a size in bits, which is not negative.
func Unsigned(text string, bits int) (uint64, error) {
	return number(text, func(s string) (uint64, error) { return strconv.ParseUint(s, 0, bits) })
}

func number[N int64 | uint64](text string, parse func(string) (N, error)) (N, error) {
	trimmed := strings.TrimSpace(text)
	if digits := strings.TrimLeft(trimmed, "+-"); len(digits) > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9' {
		return 0, fmt.Errorf("%q: a number that begins with 0 may mean one of base 8: write %s, or 0o%s", text, strings.TrimLeft(digits, "0"), strings.TrimLeft(digits, "0"))
	}
	n, err := parse(trimmed)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, fmt.Errorf("%s is too large a number", trimmed)
	case err != nil && strings.HasPrefix(trimmed, "-"):
		return 0, fmt.Errorf("%q: want a number that is not negative", text)
	case err != nil:
		return 0, fmt.Errorf("%q is no whole number: want one as 255 or 0xff", text)
	}
	return n, nil
}

var (
	yes = []string{"on", "true", "yes", "1"}
	no  = []string{"off", "false", "no", "0"}
)

// Switch reads what is on or off.
func Switch(text string) (on bool, err error) {
	word := strings.ToLower(strings.TrimSpace(text))
	on = slices.Contains(yes, word)
	if !on && !slices.Contains(no, word) {
		return false, fmt.Errorf("%q: want on or off (or true, yes, 1; false, no, 0)", text)
	}
	return on, nil
}

// IsOff tells whether text turns off what is else a value, of which 0 may be one.
func IsOff(text string) bool {
	on, err := Switch(text)
	return err == nil && !on && strings.TrimSpace(text) != "0"
}

// Choice is the one of choices that text means, and false where it is none.
func Choice(text string, choices []string) (string, bool) {
	word := strings.TrimSpace(text)
	for _, c := range choices {
		if strings.EqualFold(word, c) {
			return c, true
		}
	}
	if on, err := Switch(word); err == nil {
		meant := no[0]
		if on {
			meant = yes[0]
		}
		if slices.Contains(choices, meant) {
			return meant, true
		}
	}
	return "", false
}

// OneOf lists choices: "a", "b" or "c".
func OneOf(choices []string) string {
	var quoted []string
	for _, c := range choices {
		quoted = append(quoted, strconv.Quote(c))
	}
	return Or(quoted)
}

// Or is a list for people: a, b or c.
func Or(all []string) string {
	last := len(all) - 1
	if last < 1 {
		return strings.Join(all, "")
	}
	return strings.Join(all[:last], ", ") + " or " + all[last]
}
