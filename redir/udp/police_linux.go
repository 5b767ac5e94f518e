package udp

import (
	"sluice/loop"
	"sluice/redir/count"
	"sluice/redir/shape"
)

// shaper is how fast the client of f may be by its inbound; nil: as fast as it can.
func (s *Shared) shaper(f *flow) *shape.Shaper {
	if !s.clients.Rated() {
		return nil
	}
	return f.of.Shaper(f.way.In.ID)
}

// police cuts from m what is beyond a rate, and reports whether anything is left. Who
// is too fast hears it from what is lost, as from a line that is full: nothing waits,
// so nothing grows old. It is no news to an operator who has set a rate: it is counted,
// and told by the record of whom it befell.
func (w *Worker) police(b *shape.Bucket, m *loop.Received) bool {
	if !b.Bounded() {
		return true
	}
	n, all := b.Pass(len(m.Payload), m.Segment, w.r.Now()), m.Datagrams()
	if n == all {
		return true
	}
	w.counters.Add(count.DroppedClientRate, uint64(all-n))
	m.Payload = m.Payload[:n*m.Segment]
	return n > 0
}
