package ledger

import (
	"net/netip"
	"time"

	"github.com/rs/zerolog"

	"sluice/redir/record"
	"sluice/redir/route"
)

// wall is the time of day at a time of Reactor.Now.
type wall func(ns int64) time.Time

// object writes a record as the access log has it: named as in cmd/sluice/api, with
// the time of its end first.
func (w wall) object(e *zerolog.Event, r *record.Record) *zerolog.Event {
	e = e.Time("time", w(r.End)).Stringer("id", r.ID).Str("network", network(r)).Str("cause", r.Cause.String()).
		Str("inbound", r.Inbound).Str("client", r.Client.String()).Str("destination", r.Dest.String())
	if r.Name != "" {
		e = e.Str("name", r.Name)
	}
	if r.Dialed != r.Dest {
		e = address(e, "dialed", r.Dialed)
	}
	e = address(e, "source", r.Source).Str("outbound", r.Out)
	e = address(e, "server", r.Server)
	if r.Rule != route.Final {
		e = e.Int("rule", r.Rule)
	}
	e = e.Uint32("mark", r.Mark).Time("started", w(r.Start)).Time("active", w(r.Active)).Float64("duration", seconds(r.End-r.Start)).
		Uint64("bytes_up", r.Up.Bytes).Uint64("bytes_down", r.Down.Bytes)
	if r.ID.IsSession() {
		e = e.Uint64("datagrams_up", r.Up.Datagrams).Uint64("datagrams_down", r.Down.Datagrams)
	}
	return e
}

func network(r *record.Record) string {
	if r.ID.IsSession() {
		return "udp"
	}
	return "tcp"
}

func address(e *zerolog.Event, key string, a netip.AddrPort) *zerolog.Event {
	if !a.IsValid() {
		return e
	}
	return e.Str(key, a.String())
}

// seconds are rounded to the millisecond, of which a line has no less anywhere.
func seconds(ns int64) float64 {
	return float64(max(ns, 0)/int64(time.Millisecond)) / 1000
}
