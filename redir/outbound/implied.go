package outbound

import (
	"slices"

	"sluice/redir/route"
)

// Implied are the outbounds that are written, and those that routes lead to without
// them: Direct where none is written, and Block for what rules reject.
func Implied(written []Spec, r *route.Spec) []Spec {
	all := slices.Clone(written)
	if len(all) == 0 && len(r.Rules) > 0 {
		all = append(all, Spec{Kind: Direct, Tag: Direct.String()})
	}
	for _, block := range []Spec{{Kind: Block, Tag: route.Reset}, {Kind: Block, Tag: route.Drop, Silent: true}} {
		leads := slices.ContainsFunc(r.Rules, func(r route.Rule) bool { return r.Outbound == block.Tag })
		written := slices.ContainsFunc(all, func(o Spec) bool { return o.Tag == block.Tag })
		if leads && !written {
			all = append(all, block)
		}
	}
	return all
}
