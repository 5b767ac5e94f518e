package outbound

import (
	"slices"

	"sluice/redir/route"
)

// Implied are the outbounds that are written, and behind them those that are led to
// without being written: Direct, by its tag or since none is written, and Block for what
// rules reject.
func Implied(written []Spec, r *route.Spec) []Spec {
	tags := []string{r.Final}
	for i := range r.Rules {
		tags = append(tags, r.Rules[i].Outbound)
	}
	for i := range written {
		tags = append(append(tags, written[i].Fallback), written[i].Members...)
	}
	if len(written) == 0 && len(r.Rules) > 0 {
		tags = append(tags, direct().Tag)
	}
	all := slices.Clone(written)
	for _, o := range []Spec{direct(), {Kind: Block, Tag: route.Reset}, {Kind: Block, Tag: route.Drop, Silent: true}} {
		if slices.Contains(tags, o.Tag) && !isTagged(written, o.Tag) {
			all = append(all, o)
		}
	}
	return all
}

func isTagged(all []Spec, tag string) bool {
	return slices.ContainsFunc(all, func(o Spec) bool { return o.Tag == tag })
}
