package report

import (
	"math"
	"regexp"
)

// scale maps values to places between from and to.
type scale struct {
	low, high float64
	from, to  float64
	log       bool
}

func (s scale) at(v float64) float64 {
	low, high := s.low, s.high
	if s.log {
		v, low, high = math.Log(v), math.Log(low), math.Log(high)
	}
	if high == low {
		return (s.from + s.to) / 2
	}
	return s.from + (s.to-s.from)*(v-low)/(high-low)
}

// tick is a value that an axis names.
type tick struct {
	value float64
	label string
}

// logTicks marks multiples of each power of ten, fewer the more powers there are, and of
// many the powers alone. show writes a value.
func logTicks(low, high float64, show func(float64) string) []tick {
	steps := []float64{1, 2, 5}
	switch decades := math.Log10(high / low); {
	case decades > 3.2:
		steps = []float64{1}
	case decades > 1.6:
		steps = []float64{1, 3}
	case decades < 0.4:
		steps = []float64{1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8}
	}
	var ticks []tick
	for p := math.Floor(math.Log10(low)); p <= math.Ceil(math.Log10(high)); p++ {
		for _, s := range steps {
			if v := s * math.Pow(10, p); v >= low*0.999 && v <= high*1.001 {
				ticks = append(ticks, tick{v, tidy(show(v))})
			}
		}
	}
	return ticks
}

// valueTicks marks some values, with their labels.
func valueTicks(values []float64, show func(float64) string) []tick {
	var ticks []tick
	for _, v := range values {
		ticks = append(ticks, tick{v, show(v)})
	}
	return ticks
}

// apart are the ticks whose labels have room beside each other: 1 first, where it is
// one, then the others in their order.
func apart(ticks []tick, s scale, l letters) []tick {
	type span struct{ from, to float64 }
	var taken []span
	room := func(t tick) bool {
		half := widthOf(t.label, l) / 2
		me := span{s.at(t.value) - half, s.at(t.value) + half}
		for _, other := range taken {
			if me.from < other.to+3 && other.from < me.to+3 {
				return false
			}
		}
		taken = append(taken, me)
		return true
	}
	var kept []tick
	for _, first := range []bool{true, false} {
		for _, t := range ticks {
			if (t.value == 1) == first && room(t) {
				kept = append(kept, t)
			}
		}
	}
	return kept
}

// tidy takes idle zeros off a number: "50.0k/s" is "50k/s".
func tidy(text string) string {
	return regexp.MustCompile(`(\.\d*?)0+(\D|$)`).ReplaceAllString(regexp.MustCompile(`\.0+(\D|$)`).ReplaceAllString(text, "$1"), "$1$2")
}
