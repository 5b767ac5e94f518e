package redir

import "sluice/redir/route"

// Table makes the routes ready. It reads the rule sets, but for those of before (nil:
// none) that have not changed since.
func (o *Options) Table(before *route.Sets, n route.Neighbours) (*route.Table, *route.Sets, error) {
	sets, err := route.ReadSets(o.Route.Sets, before)
	if err != nil {
		return nil, nil, err
	}
	known := o.known()
	known.Neighbours = n
	table, err := route.New(o.Route, sets, known)
	return table, sets, err
}

// known is what rules may name.
func (o *Options) known() (k route.Known) {
	for _, out := range o.outbounds() {
		k.Outbounds = append(k.Outbounds, out.Tag)
	}
	for _, in := range o.Inbounds {
		known := route.Inbound{Tag: in.Tag}
		if in.TCP {
			known.Networks |= route.TCP
		}
		if in.UDP {
			known.Networks |= route.UDP
		}
		k.Inbounds = append(k.Inbounds, known)
	}
	return k
}
