package redir

import (
	"sluice/redir/outbound"
	"sluice/redir/route"
)

// Table makes the routes ready. It reads the rule sets, but for those of before (nil:
// none) that have not changed since.
func (o *Options) Table(before *route.Sets, n route.Neighbours) (*route.Table, *route.Sets, error) {
	sets, err := route.ReadSets(o.Route.Sets, before)
	if err != nil {
		return nil, nil, err
	}
	known := route.Known{Neighbours: n}
	for _, out := range outbound.Implied(o.Outbounds, &o.Route) {
		known.Outbounds = append(known.Outbounds, out.Tag)
	}
	for _, in := range o.Inbounds {
		networks := route.Network(0)
		if in.TCP {
			networks |= route.TCP
		}
		if in.UDP {
			networks |= route.UDP
		}
		known.Inbounds = append(known.Inbounds, route.Inbound{Tag: in.Tag, Networks: networks})
	}
	table, err := route.New(o.Route, sets, known)
	return table, sets, err
}
