package route

import (
	"math/bits"
	"strings"
	"testing"
)

// minutes is how many minutes of the week there are.
func (w *week) minutes() (n int) {
	for _, part := range w {
		n += bits.OnesCount64(part)
	}
	return n
}

func TestParseTime(t *testing.T) {
	at := func(day string, hour, minute int) int {
		return strings.Index("sunmontuewedthufrisat", day)/3*minutesPerDay + hour*60 + minute
	}
	for _, c := range []struct {
		text, printed string
		minutes       int
		in, out       []int
	}{
		{"mon-fri 08:00-17:00", "mon-fri 08:00-17:00", 5 * 9 * 60, []int{at("mon", 8, 0), at("fri", 16, 59)}, []int{at("mon", 7, 59), at("fri", 17, 0), at("sat", 9, 0)}},
		{"  Sat,SUN ", "sat,sun", 2 * minutesPerDay, []int{at("sat", 0, 0), at("sun", 23, 59)}, []int{at("mon", 0, 0), at("fri", 23, 59)}},
		{"22:00-06:00", "22:00-06:00", 7 * 8 * 60, []int{at("sun", 0, 0), at("sat", 22, 0), at("wed", 5, 59)}, []int{at("wed", 6, 0), at("wed", 21, 59)}},
		{"sat 22:00-06:00", "sat 22:00-06:00", 8 * 60, []int{at("sat", 22, 0), at("sun", 5, 59)}, []int{at("sat", 5, 0), at("sun", 6, 0), at("sun", 22, 0)}},
		{"fri-mon", "fri-mon", 4 * minutesPerDay, []int{at("fri", 0, 0), at("mon", 23, 59)}, []int{at("tue", 0, 0), at("thu", 23, 59)}},
		{"mon,wed-thu 8:30-24:00", "mon,wed-thu 8:30-24:00", 3 * (15*60 + 30), []int{at("mon", 23, 59), at("thu", 8, 30)}, []int{at("tue", 0, 0), at("tue", 9, 0)}},
		{"00:00-24:00", "00:00-24:00", minutesPerWeek, nil, nil},
		{"08:00-08:00", "08:00-08:00", 0, nil, []int{at("mon", 8, 0)}},
	} {
		time, err := ParseTime(c.text)
		if err != nil {
			t.Error(err)
			continue
		}
		w := weekOf([]Time{time})
		if time.String() != c.printed || w.minutes() != c.minutes {
			t.Errorf("%q: %q, %d minutes, want %q, %d", c.text, time, w.minutes(), c.printed, c.minutes)
		}
		for _, m := range c.in {
			if !w.contain(m) {
				t.Errorf("%q: minute %d is missing", c.text, m)
			}
		}
		for _, m := range c.out {
			if w.contain(m) {
				t.Errorf("%q: minute %d is in it", c.text, m)
			}
		}
	}
	for _, text := range []string{"", " ", "08:00", "08:00-", "-17:00", "mon 08:00-17:00 tue", "08:00-17:00 18:00-19:00", "monday", "mon-", "mon,", "24:00-08:00",
		"25:00-26:00", "08:60-09:00", "08:00-017:00", "8-9", "08:00 - 17:00"} {
		if time, err := ParseTime(text); err == nil {
			t.Errorf("%q: %v", text, time)
		}
	}
}

// FuzzParseTime: what is taken is printed as a text that means the same.
func FuzzParseTime(f *testing.F) {
	for _, text := range []string{"mon-fri 08:00-17:00", "Sat,sun", "22:00-06:00", "fri-mon 8:30-24:00", "00:00-00:00", "mon 24:00-24:00"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		first, err := ParseTime(text)
		if err != nil {
			return
		}
		again, err := ParseTime(first.String())
		if err != nil || again != first || *weekOf([]Time{first}) != *weekOf([]Time{again}) {
			t.Errorf("%q: %q, then %q, %v", text, first, again, err)
		}
		if n := weekOf([]Time{first}).minutes(); n > minutesPerWeek {
			t.Errorf("%q: %d minutes", text, n)
		}
	})
}
