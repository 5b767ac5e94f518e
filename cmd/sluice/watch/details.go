package watch

import (
	"context"

	"sluice/cmd/sluice/view"
	"sluice/redir/record"
)

// mostAsked is how many connections a look asks for their details, each of which wakes
// a reactor; the others are told of with theirs in a later sample.
const mostAsked = 64

// askWait is how long a look may take to ask, where a reactor is stuck.
const askWait = period / 4

// details are what brief records lack, of connections that the last sample told of. Of
// sessions there are none: to find one among all takes far longer than what little it
// would tell is worth.
type details struct {
	known map[record.ID]*detail
	look  uint32 // number of the present one
	asked int    // in it
}

// detail is what a full record said.
type detail struct {
	record.Record
	look uint32 // the last that told of it
}

// begin begins to fill the records of another sample.
func (d *details) begin() {
	d.look++
	d.asked = 0
}

// end forgets the connections that the sample did not tell of.
func (d *details) end() {
	for id, one := range d.known {
		if one.look != d.look {
			delete(d.known, id)
		}
	}
}

// fill puts details into what was kept.
func (d *details) fill(ctx context.Context, source Source, kept *view.Best) {
	kept.Each(func(r *record.Record) {
		if r.ID.IsSession() {
			return
		}
		one := d.known[r.ID]
		if (one == nil || one.State != r.State && !one.Source.IsValid()) && d.asked < mostAsked && ctx.Err() == nil {
			d.asked++
			if asked, err := source.Flow(ctx, r.ID); err == nil {
				one = &detail{Record: asked}
				d.known[r.ID] = one
			}
		}
		if one != nil {
			one.look = d.look
			r.Dest, r.Source, r.Server = one.Dest, one.Source, one.Server
		}
	})
}
