package client

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strconv"

	"sluice/cmd/sluice/api"
)

// Status is how sluice stands.
func (c *Client) Status(ctx context.Context) (s api.Status, err error) {
	return s, c.call(ctx, http.MethodGet, "/v1/status", nil, nil, &s)
}

// Counters are those since the start.
func (c *Client) Counters(ctx context.Context) (s api.Counters, err error) {
	return s, c.call(ctx, http.MethodGet, "/v1/counters", nil, nil, &s)
}

// Top are the busiest clients ("client") or destinations ("destination").
func (c *Client) Top(ctx context.Context, by string, limit int) (t api.Top, err error) {
	return t, c.call(ctx, http.MethodGet, "/v1/top", url.Values{"by": {by}, "limit": {strconv.Itoa(limit)}}, nil, &t)
}

// Page is one page of the flows that match.
func (c *Client) Page(ctx context.Context, q *api.Query) (p api.FlowPage, err error) {
	return p, c.call(ctx, http.MethodGet, "/v1/flows", q.Values(), nil, &p)
}

// Flows are all flows that match, page by page; q.Limit is the length of a page. An
// error is the last that it yields.
func (c *Client) Flows(ctx context.Context, q api.Query) iter.Seq2[api.Flow, error] {
	return func(yield func(api.Flow, error) bool) {
		for {
			page, err := c.Page(ctx, &q)
			if err != nil {
				yield(api.Flow{}, err)
				return
			}
			for _, f := range page.Flows {
				if !yield(f, nil) {
					return
				}
			}
			if page.Next == "" || page.Next == q.After {
				return
			}
			q.After = page.Next
		}
	}
}

// Flow is one of them. IsGone tells an error that says that it has ended.
func (c *Client) Flow(ctx context.Context, id string) (f api.Flow, err error) {
	return f, c.call(ctx, http.MethodGet, "/v1/flows/"+url.PathEscape(id), nil, nil, &f)
}

// End ends one flow.
func (c *Client) End(ctx context.Context, id string) (e api.Ended, err error) {
	return e, c.call(ctx, http.MethodDelete, "/v1/flows/"+url.PathEscape(id), nil, nil, &e)
}

// EndAll ends the flows that match. A query that matches all of them needs all.
func (c *Client) EndAll(ctx context.Context, q *api.Query, all bool) (e api.Ended, err error) {
	v := q.Values()
	if all {
		if v == nil {
			v = url.Values{}
		}
		v.Set("all", "true")
	}
	return e, c.call(ctx, http.MethodDelete, "/v1/flows", v, nil, &e)
}

// Config is the configuration in effect.
func (c *Client) Config(ctx context.Context) (text json.RawMessage, err error) {
	return text, c.call(ctx, http.MethodGet, "/v1/config", nil, nil, &text)
}

// LogLevel is the one in effect.
func (c *Client) LogLevel(ctx context.Context) (l api.LogLevel, err error) {
	return l, c.call(ctx, http.MethodGet, "/v1/log-level", nil, nil, &l)
}

// SetLogLevel sets it, until sluice ends or rereads its file.
func (c *Client) SetLogLevel(ctx context.Context, level string) (l api.LogLevel, err error) {
	return l, c.call(ctx, http.MethodPut, "/v1/log-level", nil, api.LogLevel{Level: level}, &l)
}

// Reload has the file read again.
func (c *Client) Reload(ctx context.Context) (r api.Reloaded, err error) {
	return r, c.call(ctx, http.MethodPost, "/v1/reload", nil, nil, &r)
}

// Drain has sluice end as SIGTERM does.
func (c *Client) Drain(ctx context.Context) (d api.Draining, err error) {
	return d, c.call(ctx, http.MethodPost, "/v1/drain", nil, nil, &d)
}

// Health is whether traffic is carried; ready asks whether more could be.
func (c *Client) Health(ctx context.Context, ready bool) (h api.Health, err error) {
	path := "/healthz"
	if ready {
		path = "/readyz"
	}
	return h, c.call(ctx, http.MethodGet, path, nil, nil, &h)
}
