package torture

import (
	"fmt"
	"math"
	"strconv"
)

// Bounds of a reading.
const (
	Most  = "most"  // the value is at most the target
	Least = "least" // the value is at least the target
)

// Reading is one measured value beside its target.
type Reading struct {
	What   string  `json:"what"`
	Value  float64 `json:"value"`
	Unit   string  `json:"unit,omitempty"` // follows the number: "x", "%", "MB", " s"
	Bound  string  `json:"bound,omitempty"`
	Target float64 `json:"target,omitempty"`
	// Long is the long form's target, where the one applied is the short form's.
	Long *float64 `json:"long_target,omitempty"`
	// Statistical: other work on the machine moves it. The short form tries again where
	// nothing else was missed.
	Statistical bool `json:"statistical,omitempty"`
	OK          bool `json:"ok"`
}

// judge sets OK.
func (r Reading) judge() Reading {
	switch r.Bound {
	case Most:
		r.OK = r.Value <= r.Target
	case Least:
		r.OK = r.Value >= r.Target
	default:
		r.OK = true
	}
	return r
}

// String is "connect p99 1.2x (at most 1.5x)".
func (r Reading) String() string {
	text := fmt.Sprintf("%s %s%s", r.What, number(r.Value), r.Unit)
	if r.Bound == "" {
		return text
	}
	text += fmt.Sprintf(" (at %s %s%s", r.Bound, number(r.Target), r.Unit)
	if r.Long != nil {
		text += fmt.Sprintf("; long %s%s", number(*r.Long), r.Unit)
	}
	text += ")"
	if !r.OK {
		return "! " + text
	}
	return text
}

// number shows whole numbers whole, and others with three digits.
func number(v float64) string {
	if v == math.Trunc(v) || math.Abs(v) >= 1000 {
		return strconv.FormatFloat(math.Round(v), 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}
