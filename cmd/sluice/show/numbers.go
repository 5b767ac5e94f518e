package show

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Bytes is a volume: 0 B, 999 B, 1.23 kB, 12.3 MB, 123 GB; eight columns at most up to
// exabytes.
func Bytes[N int | uint64 | float64](n N) string {
	number, prefix := scaled(float64(n))
	return number + " " + prefix + "B"
}

// Rate is a rate in bits, of bytes a second: 98.8 Mbit/s.
func Rate(bytesPerSecond float64) string {
	number, prefix := scaled(bytesPerSecond * 8)
	return number + " " + prefix + "bit/s"
}

// Bits is a rate without its unit, of bytes a second: 98.8M; five columns at most up
// to exabits.
func Bits(bytesPerSecond float64) string { return Count(bytesPerSecond * 8) }

// Count is a number of things, or of things a second: 0, 999, 1.23k, 45.6M; five
// columns at most.
func Count[N int | uint64 | float64](n N) string {
	number, prefix := scaled(float64(n))
	return number + prefix
}

// scaled is a number with three digits that count, and the prefix of its unit. What is
// less than 1 has one digit; what is no number is 0.
func scaled(n float64) (number, prefix string) {
	if math.IsNaN(n) || n < 0 {
		n = 0
	}
	const prefixes = "kMGTPE"
	i := -1
	for n >= 999.5 && i < len(prefixes)-1 {
		n /= 1000
		i++
	}
	if i < 0 {
		if n > 0 && n < 0.95 {
			return strconv.FormatFloat(n, 'f', 1, 64), ""
		}
		return strconv.FormatFloat(n, 'f', 0, 64), ""
	}
	digits := 2
	switch {
	case n >= 99.95:
		digits = 0
	case n >= 9.995:
		digits = 1
	}
	return strconv.FormatFloat(n, 'f', digits, 64), prefixes[i : i+1]
}

// Duration is a time in six columns at most, up to ten years: 0s, 59s, 3m12s, 2h04m,
// 3d05h, 900d. Below a second it is 120ms.
func Duration(d time.Duration) string {
	d = max(d, 0)
	seconds := int64(d / time.Second)
	switch {
	case d > 0 && d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case seconds < 60:
		return fmt.Sprintf("%ds", seconds)
	case seconds < 3600:
		return fmt.Sprintf("%dm%02ds", seconds/60, seconds%60)
	case seconds < 86400:
		return fmt.Sprintf("%dh%02dm", seconds/3600, seconds/60%60)
	case seconds < 100*86400:
		return fmt.Sprintf("%dd%02dh", seconds/86400, seconds/3600%24)
	}
	return fmt.Sprintf("%dd", seconds/86400)
}
