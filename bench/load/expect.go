package load

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Expectation is one assertion about a result: "p99<5ms".
type Expectation struct {
	text   string
	metric string
	op     string
	value  float64
	share  bool // the value is in percent of what was sent
}

// ParseExpect reads assertions separated by commas. Metrics:
//
//	min mean p50 p90 p99 p99.9 p99.99 max jitter    a duration: 5ms, 800us
//	loss duplicate reordered corrupt mixed          a count, or a share of what was sent: 0, 0.1%
//	wrong-source short errors
//	rate                                            units per second: 10000, 10k, 1.5M
//	mbps                                            megabits of payload per second
//	units sent                                      a count
//
// with one of < <= = >= >.
func ParseExpect(text string) ([]Expectation, error) {
	var list []Expectation
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		e, err := parseOne(part)
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, nil
}

func parseOne(text string) (Expectation, error) {
	i := strings.IndexAny(text, "<=>")
	if i < 1 {
		return Expectation{}, fmt.Errorf("expectation %q: want metric, one of < <= = >= >, value", text)
	}
	e := Expectation{text: text, metric: strings.TrimSpace(text[:i]), op: text[i : i+1]}
	rest := text[i+1:]
	if after, ok := strings.CutPrefix(rest, "="); ok {
		e.op, rest = e.op+"=", after
	}
	if e.op == "==" {
		e.op = "="
	}
	rest = strings.TrimSpace(rest)
	var err error
	switch kind, _ := measure(e.metric, &Result{}); kind {
	case isDuration:
		var d time.Duration
		d, err = time.ParseDuration(rest)
		e.value = float64(d) / float64(time.Microsecond)
	case isFault:
		number, share := strings.CutSuffix(rest, "%")
		e.share = share
		e.value, err = strconv.ParseFloat(number, 64)
	case isNumber:
		e.value, err = parseScaled(rest)
	default:
		return e, fmt.Errorf("expectation %q: no such metric: %q", text, e.metric)
	}
	if err != nil {
		return e, fmt.Errorf("expectation %q: %w", text, err)
	}
	return e, nil
}

// parseScaled reads 10k, 1.5M, 2G.
func parseScaled(text string) (float64, error) {
	scale := 1.0
	for suffix, by := range map[string]float64{"k": 1e3, "M": 1e6, "G": 1e9} {
		if number, ok := strings.CutSuffix(text, suffix); ok {
			text, scale = number, by
		}
	}
	v, err := strconv.ParseFloat(text, 64)
	return v * scale, err
}

// What a metric's value is.
const (
	isUnknown = iota
	isDuration
	isFault
	isNumber
)

// measure finds a metric in a result: durations in microseconds.
func measure(metric string, r *Result) (kind int, value float64) {
	l := r.Latency
	if l == nil {
		l = &Latency{}
	}
	f := &r.Faults
	switch metric {
	case "min":
		return isDuration, l.MinUS
	case "mean":
		return isDuration, l.MeanUS
	case "p50":
		return isDuration, l.P50US
	case "p90":
		return isDuration, l.P90US
	case "p99":
		return isDuration, l.P99US
	case "p99.9":
		return isDuration, l.P999US
	case "p99.99":
		return isDuration, l.P9999US
	case "max":
		return isDuration, l.MaxUS
	case "jitter":
		return isDuration, r.JitterUS
	case "rate":
		return isNumber, r.Rate
	case "mbps":
		return isNumber, r.BitsPerSecond / 1e6
	case "units":
		return isNumber, float64(r.Units)
	case "sent":
		return isNumber, float64(r.Sent)
	}
	for name, n := range map[string]uint64{"loss": f.Lost, "duplicate": f.Duplicate, "reordered": f.Reordered,
		"corrupt": f.Corrupt, "mixed": f.Mixed, "wrong-source": f.WrongSource, "short": f.Short, "errors": f.Errors} {
		if name == metric {
			return isFault, float64(n)
		}
	}
	return isUnknown, 0
}

// Judge adds a failure to the result for each expectation that it does not meet.
// A latency that was not measured meets none.
func (r *Result) Judge(list []Expectation) {
	for _, e := range list {
		kind, got := measure(e.metric, r)
		if kind == isDuration && e.metric != "jitter" && r.Latency == nil {
			r.Failures = append(r.Failures, fmt.Sprintf("expected %s, but no latency was measured", e.text))
			continue
		}
		if e.share {
			got = 100 * got / float64(max(r.Sent, 1))
		}
		if !e.holds(got) {
			r.Failures = append(r.Failures, fmt.Sprintf("expected %s, got %s", e.text, e.show(kind, got)))
		}
	}
	r.OK = len(r.Failures) == 0
}

func (e Expectation) holds(got float64) bool {
	switch e.op {
	case "<":
		return got < e.value
	case "<=":
		return got <= e.value
	case ">":
		return got > e.value
	case ">=":
		return got >= e.value
	}
	return got == e.value
}

func (e Expectation) show(kind int, got float64) string {
	switch {
	case kind == isDuration:
		return time.Duration(got * float64(time.Microsecond)).String()
	case e.share:
		return strconv.FormatFloat(got, 'g', 4, 64) + "%"
	}
	return strconv.FormatFloat(got, 'f', -1, 64)
}
