package route

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	minutesPerDay  = 24 * 60
	minutesPerWeek = 7 * minutesPerDay
)

// Time is minutes of the week, in local time, as a text says: "mon-fri 08:00-17:00",
// "sat,sun", "22:00-06:00". What goes on past midnight belongs to the day on which
// it began.
type Time struct{ text string }

// days are the days' names, as time.Weekday numbers them.
var days = [...]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// ParseTime reads one.
func ParseTime(text string) (Time, error) {
	t := Time{strings.ToLower(strings.Join(strings.Fields(text), " "))}
	if _, err := t.week(); err != nil {
		return Time{}, fmt.Errorf(`want a time as "mon-fri 08:00-17:00", "sat,sun" or "22:00-06:00", not %q: %w`, text, err)
	}
	return t, nil
}

func (t Time) String() string { return t.text }

// week is the minutes that t names.
func (t Time) week() (*week, error) {
	words := strings.Fields(t.text)
	if len(words) == 0 || len(words) > 2 {
		return nil, fmt.Errorf("want days, a range of times or both")
	}
	on := [len(days)]bool{true, true, true, true, true, true, true}
	if isDays := words[0][0] >= 'a'; isDays {
		var err error
		if on, err = parseDays(words[0]); err != nil {
			return nil, err
		}
		words = words[1:]
	}
	first, last := 0, minutesPerDay // of the day
	if len(words) > 1 {
		return nil, fmt.Errorf("two ranges of times")
	}
	if len(words) == 1 {
		var err error
		if first, last, err = parseClock(words[0]); err != nil {
			return nil, err
		}
	}
	w := new(week)
	for day := range on {
		if on[day] {
			w.add(day*minutesPerDay+first, day*minutesPerDay+last)
		}
	}
	return w, nil
}

// parseDays reads mon-fri, sat,sun and the like.
func parseDays(text string) (on [len(days)]bool, err error) {
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, to := slices.Index(days[:], first), slices.Index(days[:], last)
		if from < 0 || to < 0 {
			return on, fmt.Errorf("%q is no day: want mon, tue, wed, thu, fri, sat, sun", part)
		}
		for day := from; ; day = (day + 1) % len(days) {
			if on[day] = true; day == to {
				break
			}
		}
	}
	return on, nil
}

// parseClock reads 08:00-17:00 as minutes of the day; the last may lie on the next
// one.
func parseClock(text string) (first, last int, err error) {
	from, to, _ := strings.Cut(text, "-")
	if first, err = parseMinute(from); err == nil {
		last, err = parseMinute(to)
	}
	if err == nil && first == minutesPerDay {
		err = fmt.Errorf("%q: no day begins at 24:00", text)
	}
	if last < first {
		last += minutesPerDay
	}
	return first, last, err
}

func parseMinute(text string) (int, error) {
	if text == "24:00" {
		return minutesPerDay, nil
	}
	t, err := time.Parse("15:04", text)
	if err != nil || len(text) > len("15:04") {
		return 0, fmt.Errorf("%q is no time of the day, as 08:00", text)
	}
	return t.Hour()*60 + t.Minute(), nil
}

// week is a set of the minutes of a week, which begins with Sunday.
type week [(minutesPerWeek + 63) / 64]uint64

// add takes the minutes from first to before last, past the week's end from its
// beginning.
func (w *week) add(first, last int) {
	for m := first; m < last; m++ {
		w[m%minutesPerWeek/64] |= 1 << (m % minutesPerWeek % 64)
	}
}

func (w *week) contain(minute int) bool { return w[minute/64]>>(minute%64)&1 != 0 }

// cover tells whether w holds each minute of other.
func (w *week) cover(other *week) bool {
	for i := range w {
		if other[i]&^w[i] != 0 {
			return false
		}
	}
	return true
}

// weekOf joins times; nil: there are none.
func weekOf(times []Time) *week {
	if len(times) == 0 {
		return nil
	}
	all := new(week)
	for _, t := range times {
		w, err := t.week()
		if err != nil { // a Time that no one parsed holds nothing
			continue
		}
		for i := range all {
			all[i] |= w[i]
		}
	}
	return all
}
