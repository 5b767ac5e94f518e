package outbound

import (
	"sync/atomic"

	"sluice/redir/resolve"
)

// Outbound is a Spec that is open, as all workers see it. It does not change but
// for its health.
type Outbound struct {
	Spec
	Dests *resolve.Dests // of its server
	down  atomic.Bool
}

// direct is what there is where nothing is said.
func direct() *Outbound { return &Outbound{Spec: Spec{Kind: Direct, Tag: Direct.String()}} }

// Usable reports whether a flow that begins at now (ns of Reactor.Now) may try the
// outbound, or its server is down.
func (o *Outbound) Usable(now int64) bool { return !o.down.Load() }

// Reached tells that the server carries a flow.
func (o *Outbound) Reached(now int64) {}

// Failed tells that the server could not be reached, or broke off before it carried
// a flow.
func (o *Outbound) Failed(now int64, why error) {}
