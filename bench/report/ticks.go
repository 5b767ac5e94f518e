package report

import (
	"math"
	"regexp"

	"gonum.org/v1/plot"
)

// logTicks marks 1, 2 and 5 of each power of ten where they have room, else the
// powers alone. show writes a value.
type logTicks struct{ show func(float64) string }

// Ticks implements plot.Ticker.
func (t logTicks) Ticks(low, high float64) []plot.Tick {
	steps := []float64{1, 2, 5}
	switch decades := math.Log10(high / low); {
	case decades > 3.2:
		steps = []float64{1}
	case decades > 1.6:
		steps = []float64{1, 3}
	case decades < 0.4:
		steps = []float64{1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8}
	}
	var ticks []plot.Tick
	for p := math.Floor(math.Log10(low)); p <= math.Ceil(math.Log10(high)); p++ {
		for _, s := range steps {
			if v := s * math.Pow(10, p); v >= low*0.999 && v <= high*1.001 {
				ticks = append(ticks, plot.Tick{Value: v, Label: tidy(t.show(v))})
			}
		}
	}
	return ticks
}

// valueTicks marks some values, with their labels.
func valueTicks(values []float64, show func(float64) string) plot.ConstantTicks {
	var ticks plot.ConstantTicks
	for _, v := range values {
		ticks = append(ticks, plot.Tick{Value: v, Label: show(v)})
	}
	return ticks
}

// tidy takes idle zeros off a number: "50.0k/s" is "50k/s".
func tidy(text string) string {
	return regexp.MustCompile(`(\.\d*?)0+(\D|$)`).ReplaceAllString(regexp.MustCompile(`\.0+(\D|$)`).ReplaceAllString(text, "$1"), "$1$2")
}
