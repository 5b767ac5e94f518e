package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"
	"net/url"

	"sluice/cmd/sluice/api"
)

// All are all flows that match, in no order, as sluice sees them in one look: the query
// has no sort, limit, after or rate. An error is the last that it yields.
func (c *Client) All(ctx context.Context, q *api.Query) iter.Seq2[api.Flow, error] {
	return func(yield func(api.Flow, error) bool) {
		v := url.Values{"lines": {"true"}}
		for name, values := range q.Values() {
			v[name] = values
		}
		const path = "/v1/flows"
		response, err := c.send(ctx, http.MethodGet, path, v, nil)
		if err != nil {
			yield(api.Flow{}, err)
			return
		}
		defer response.Body.Close()
		decoder := json.NewDecoder(response.Body)
		for {
			var f api.Flow
			err := decoder.Decode(&f)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(api.Flow{}, c.amiss(ctx, path, err))
				return
			}
			if !yield(f, nil) {
				return
			}
		}
	}
}
