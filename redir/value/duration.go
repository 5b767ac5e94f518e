package value

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Those that time.ParseDuration does not have.
const (
	day  = 24 * time.Hour
	week = 7 * day
)

// Duration reads a time: a number of seconds, or numbers with units from ns to w.
func Duration(text string) (time.Duration, error) {
	trimmed := strings.TrimSpace(text)
	if seconds, err := strconv.ParseFloat(trimmed, 64); err == nil && isPlain(trimmed) {
		trimmed = strconv.FormatFloat(seconds, 'f', -1, 64) + "s"
	}
	unsigned, negative := strings.CutPrefix(trimmed, "-")
	var sum time.Duration
	for rest := unsigned; rest != "" || unsigned == ""; {
		number := strings.IndexFunc(rest, isUnit)
		if number < 1 {
			return 0, noTime(text)
		}
		unit := len(rest)
		if next := strings.IndexFunc(rest[number:], isDigit); next >= 0 {
			unit = number + next
		}
		d, ok := part(rest[:number], rest[number:unit])
		if !ok || sum > math.MaxInt64-d {
			return 0, noTime(text)
		}
		sum, rest = sum+d, rest[unit:]
	}
	if negative {
		sum = -sum
	}
	return sum, nil
}

// isPlain tells whether a number is written without an exponent, or a name such as
// Inf.
func isPlain(number string) bool { return strings.Trim(number, "+-.0123456789") == "" }

func isDigit(c rune) bool { return c >= '0' && c <= '9' || c == '.' }

func isUnit(c rune) bool { return !isDigit(c) }

// part is a number with its unit.
func part(number, unit string) (time.Duration, bool) {
	long := map[string]time.Duration{"d": day, "w": week}[unit]
	if long == 0 {
		d, err := time.ParseDuration(number + unit)
		return d, err == nil
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || n > float64(math.MaxInt64/long) {
		return 0, false
	}
	return time.Duration(n * float64(long)), true
}

func noTime(text string) error {
	return fmt.Errorf("%q is no time: want a number of seconds, or numbers with units, as 300ms, 30s, 1h30m or 1d", text)
}

// DurationText is how a time is written: 5m where Duration.String says 5m0s, 1d for
// 24h0m0s.
func DurationText(d time.Duration) string {
	if d >= day && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
