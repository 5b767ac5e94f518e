//go:build linux

package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// sample is what /v1/events says each second, as far as tests look at it.
type sample struct {
	Time                  time.Time
	Interval              float64
	Networks              []networkRate
	Clients               []talker
	Destinations          []talker
	Flows                 []flowRecord
	Total                 int
	Memory                int64
	Connections, Sessions int
	Lost                  int
}

type networkRate struct {
	Network       string
	RateUp        float64 `json:"rate_up"`
	RateDown      float64 `json:"rate_down"`
	DatagramsUp   float64 `json:"datagrams_up"`
	DatagramsDown float64 `json:"datagrams_down"`
	Opened, Ended float64
}

type talker struct {
	Address               string
	Connections, Sessions int
	RateUp                float64 `json:"rate_up"`
	RateDown              float64 `json:"rate_down"`
	BytesUp               int64   `json:"bytes_up"`
	BytesDown             int64   `json:"bytes_down"`
}

// events calls each with samples, until it returns false or ctx is done.
func (w *window) events(ctx context.Context, query url.Values, each func(sample) bool) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/v1/events?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	answer, err := w.http.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" {
		return fmt.Errorf("%s, %s", answer.Status, answer.Header.Get("Content-Type"))
	}
	lines, isSample := bufio.NewScanner(answer.Body), false
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			isSample = name == "sample"
		}
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok || !isSample {
			continue
		}
		var s sample
		if err := json.Unmarshal([]byte(data), &s); err != nil {
			return err
		}
		if !each(s) {
			return nil
		}
	}
	return lines.Err()
}

func (s *sample) network(name string) networkRate {
	for _, n := range s.Networks {
		if n.Network == name {
			return n
		}
	}
	return networkRate{}
}

func find(all []talker, who netip.Addr) talker {
	for _, one := range all {
		if one.Address == who.String() {
			return one
		}
	}
	return talker{}
}

// fastest is the first flow of a client's that the sample has.
func (s *sample) fastest(network string, client netip.Addr) *flowRecord {
	for i := range s.Flows {
		if s.Flows[i].Network == network && netip.MustParseAddrPort(s.Flows[i].Client).Addr() == client {
			return &s.Flows[i]
		}
	}
	return &flowRecord{}
}

// up and down are rates; 0 where they are not known.
func (f *flowRecord) up() float64 {
	if f.RateUp == nil {
		return 0
	}
	return *f.RateUp
}

func (f *flowRecord) down() float64 {
	if f.RateDown == nil {
		return 0
	}
	return *f.RateDown
}
