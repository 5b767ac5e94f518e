package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"sluice/cmd/sluice/api"
)

// Bounds of a stream of samples.
const (
	silence    = 10 * time.Second // a sample is due each second
	firstPause = time.Second      // before sluice is tried again
	lastPause  = 5 * time.Second
)

var errSilent = errors.New("sluice is silent")

// Samples are those of one connection, a second apart, each with the first flows of
// q: as many as flows says. An error is the last that it yields.
func (c *Client) Samples(ctx context.Context, q *api.Query, flows int) iter.Seq2[*api.Sample, error] {
	return func(yield func(*api.Sample, error) bool) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		query := url.Values{}
		for name, values := range q.Values() {
			query[name] = values
		}
		if flows > 0 {
			query.Set("flows", strconv.Itoa(flows))
		}
		response, err := c.send(ctx, http.MethodGet, "/v1/events", query, nil)
		if err != nil {
			yield(nil, err)
			return
		}
		defer response.Body.Close()
		quiet := time.AfterFunc(silence, func() { cancel(fmt.Errorf("no sluice answers at %s: %w", c.address, errSilent)) })
		defer quiet.Stop()
		events := newEvents(response.Body)
		for {
			name, data, err := events.next()
			if err != nil {
				yield(nil, c.amiss(ctx, "/v1/events", err))
				return
			}
			quiet.Reset(silence)
			if name != "sample" {
				continue
			}
			sample := &api.Sample{}
			if err := json.Unmarshal(data, sample); err != nil {
				yield(nil, c.amiss(ctx, "/v1/events", err))
				return
			}
			if !yield(sample, nil) {
				return
			}
		}
	}
}

// Follow is Samples, tried again after each error until ctx is done: an error that it
// yields says why there are none at the moment.
func (c *Client) Follow(ctx context.Context, q *api.Query, flows int) iter.Seq2[*api.Sample, error] {
	return func(yield func(*api.Sample, error) bool) {
		pause := firstPause
		for {
			for sample, err := range c.Samples(ctx, q, flows) {
				if ctx.Err() != nil || !yield(sample, err) {
					return
				}
				if err == nil {
					pause = firstPause
				}
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
			pause = min(2*pause, lastPause)
		}
	}
}
