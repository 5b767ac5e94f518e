package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"

	"sluice/cmd/sluice/api"
)

// mostBody bounds an answer, in bytes: a page of some hundred thousand flows.
const mostBody = 256 << 20

// call sends body as JSON, unless it is nil, and reads the answer into into.
func (c *Client) call(ctx context.Context, method, path string, query url.Values, body, into any) error {
	response, err := c.send(ctx, method, path, query, body)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(io.LimitReader(response.Body, mostBody)).Decode(into); err != nil {
		return c.amiss(ctx, path, err)
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 4096)) // so that the connection serves again
	return nil
}

// send returns an answer whose body is what was asked for, which the caller closes.
func (c *Client) send(ctx context.Context, method, path string, query url.Values, body any) (*http.Response, error) {
	var reader io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		reader = bytes.NewReader(text)
	}
	target := c.base + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, method, target, reader)
	if err != nil {
		return nil, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, c.unreached(ctx, err)
	}
	if err := c.problem(response); err != nil {
		response.Body.Close()
		return nil, err
	}
	return response, nil
}

// problem is the error that an answer tells, or nil. That sluice is not well is none:
// it answers 503 with the causes in JSON.
func (c *Client) problem(r *http.Response) error {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case r.StatusCode/100 == 2, r.StatusCode == http.StatusServiceUnavailable && kind == "application/json":
		return nil
	case kind == "application/problem+json":
		p := &api.Problem{}
		if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(p); err != nil {
			break
		}
		p.Status = r.StatusCode
		if r.StatusCode == http.StatusUnauthorized {
			return fmt.Errorf("%s: %w; give sluice's token by --token-file FILE or in SLUICE_CONTROL_TOKEN", c.address, p)
		}
		return p
	}
	return fmt.Errorf("%s: answered %q to %s: is this sluice's control socket?", c.address, r.Status, r.Request.URL.Path)
}

// amiss says that an answer could not be read to its end.
func (c *Client) amiss(ctx context.Context, path string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		err = errors.New("the answer ends early: sluice may have ended")
	}
	return fmt.Errorf("%s: %s: %w", c.address, path, err)
}

// IsGone reports whether an error says that there is no such flow, or no longer.
func IsGone(err error) bool {
	var p *api.Problem
	return errors.As(err, &p) && p.Status == http.StatusNotFound
}
