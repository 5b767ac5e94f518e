package screen

import (
	"context"
	"iter"

	"sluice/cmd/sluice/api"
)

// Source is a running sluice (client.Client).
type Source interface {
	Status(ctx context.Context) (api.Status, error)
	Flow(ctx context.Context, id string) (api.Flow, error)
	End(ctx context.Context, id string) (api.Ended, error)
	EndAll(ctx context.Context, q *api.Query, all bool) (api.Ended, error)
	// Follow yields a sample a second until ctx is done, and errors while there are none.
	Follow(ctx context.Context, q *api.Query, flows int) iter.Seq2[*api.Sample, error]
}
