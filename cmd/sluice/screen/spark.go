package screen

import "math"

// history is the last values of something, a second apart; NaN where they are not known.
type history struct{ values []float64 }

// mostHistory is as many values as a wide terminal has room for.
const mostHistory = 300

func (h *history) add(v float64) {
	if len(h.values) == mostHistory {
		h.values = append(h.values[:0], h.values[1:]...)
	}
	h.values = append(h.values, v)
}

// peak is the greatest of the last n.
func (h *history) peak(n int) (most float64) {
	for _, v := range h.last(n) {
		if v > most {
			most = v
		}
	}
	return most
}

func (h *history) last(n int) []float64 { return h.values[max(len(h.values)-max(n, 0), 0):] }

var (
	blocks = []rune("▁▂▃▄▅▆▇█")
	ascii  = []rune(".:-=+*#@") // by how much ink they have
)

// spark draws the last width values against the greatest of them, the newest at the
// right. What is not known, and what is 0, is blank.
func (h *history) spark(width int, look Look) string {
	if width <= 0 {
		return ""
	}
	levels := ascii
	if look.Blocks {
		levels = blocks
	}
	drawn := make([]rune, width)
	for i := range drawn {
		drawn[i] = ' '
	}
	most, last := h.peak(width), h.last(width)
	for i, v := range last {
		if math.IsNaN(v) || v <= 0 {
			continue
		}
		level := int(math.Ceil(v/most*float64(len(levels)))) - 1
		drawn[width-len(last)+i] = levels[min(max(level, 0), len(levels)-1)]
	}
	return string(drawn)
}
