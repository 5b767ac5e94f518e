package api

import (
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sluice/redir/value"
)

// ParamError is a parameter of a query that makes no sense.
type ParamError struct {
	Name  string
	Value string
	Want  string // what it should be
}

func (e *ParamError) Error() string { return fmt.Sprintf("%s: %q: want %s", e.Name, e.Value, e.Want) }

// ParseQuery reads what Values has written. Lists may also stand in one value, with
// commas, but for those of tags, which may have commas themselves. An error names the
// parameter, and what it should be. What networks, addresses, states and orders there
// are, package view knows.
func ParseQuery(v url.Values) (Query, error) {
	var q Query
	for name, values := range v {
		if err := q.read(name, values); err != nil {
			return Query{}, err
		}
	}
	return q, nil
}

func (q *Query) read(name string, values []string) error {
	switch name {
	case paramClient:
		q.Client = items(values)
	case paramDestination:
		q.Destination = items(values)
	case paramState:
		q.State = items(values)
	case paramInbound:
		q.Inbound = whole(values)
	case paramOutbound:
		q.Outbound = whole(values)
	case paramPort:
		return q.readPorts(values)
	default:
		if len(values) > 1 {
			return &ParamError{name, values[1], "one value alone"}
		}
		if len(values) == 1 {
			return q.readOne(name, values[0])
		}
	}
	return nil
}

// readOne reads what has one value. One that is empty says nothing.
func (q *Query) readOne(name, value string) (err error) {
	if value == "" && name != paramHeld {
		return nil
	}
	switch name {
	case paramNetwork:
		q.Network = value
	case paramOlder:
		q.Older, err = duration(name, value)
	case paramYounger:
		q.Younger, err = duration(name, value)
	case paramIdle:
		q.Idle, err = duration(name, value)
	case paramRate:
		q.Rate, err = rate(name, value)
	case paramHeld:
		q.Held, err = strconv.ParseBool(value)
		if value == "" {
			q.Held, err = true, nil
		} else if err != nil {
			err = &ParamError{name, value, "true or false"}
		}
	case paramSort:
		q.Sort = value
	case paramLimit:
		n, parseErr := strconv.ParseUint(value, 10, 31)
		if q.Limit = int(n); parseErr != nil {
			return &ParamError{name, value, "a number"}
		}
	case paramAfter:
		q.After = value
	default:
		return &ParamError{name, value, "one of the parameters " + strings.Join(params(), ", ")}
	}
	return err
}

func params() []string {
	return []string{paramClient, paramDestination, paramPort, paramNetwork, paramInbound, paramOutbound, paramState,
		paramOlder, paramYounger, paramIdle, paramRate, paramHeld, paramSort, paramLimit, paramAfter}
}

func (q *Query) readPorts(values []string) error {
	for _, text := range items(values) {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil || n == 0 {
			return &ParamError{paramPort, text, "ports from 1 to 65535"}
		}
		q.Port = append(q.Port, uint16(n))
	}
	return nil
}

// items are the values and what commas part in them, without those that are empty.
func items(values []string) (all []string) {
	for _, value := range values {
		for item := range strings.SplitSeq(value, ",") {
			if item = strings.TrimSpace(item); item != "" {
				all = append(all, item)
			}
		}
	}
	return all
}

// whole are the values that are not empty.
func whole(values []string) (all []string) {
	for _, value := range values {
		if value != "" {
			all = append(all, value)
		}
	}
	return all
}

// duration reads 90s, 5m, 1h30m, or seconds.
func duration(name, text string) (time.Duration, error) {
	d, err := value.Duration(text)
	if err != nil || d < 0 {
		return 0, &ParamError{name, text, "a time as 90s, 5m, 1h30m or 1d"}
	}
	return d, nil
}

// Units of rates, as sizes have them elsewhere.
var rateUnits = [...]struct {
	suffix string
	bytes  float64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}, {"B", 1}}

// rate reads bytes a second: 125000, 1MiB.
func rate(name, value string) (float64, error) {
	number, unit := value, 1.0
	for _, u := range rateUnits {
		if head, ok := strings.CutSuffix(value, u.suffix); ok {
			number, unit = head, u.bytes
			break
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	if n *= unit; err != nil || math.IsNaN(n) || math.IsInf(n, 0) || n < 0 {
		return 0, &ParamError{name, value, "bytes a second, as 125000 or 1MiB"}
	}
	return n, nil
}
