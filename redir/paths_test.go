package redir

import (
	"slices"
	"testing"

	"sluice/redir/outbound"
	"sluice/redir/resolve"
	"sluice/redir/source"
)

func TestOutboundsPaths(t *testing.T) {
	ofClient := source.Source{Kind: source.Client}
	server := resolve.Target{Host: "192.0.2.7", Port: 1080}
	for _, c := range []struct {
		all      source.Source // of --source
		outs     []outbound.Spec
		marks    []uint32
		socketed bool
		sourced  bool
	}{
		{marks: []uint32{2}, socketed: true},
		{all: ofClient, marks: []uint32{2}, sourced: true},
		{all: ofClient, marks: []uint32{2, 6}, socketed: true, outs: []outbound.Spec{
			{Kind: outbound.Socks, Tag: "s", Server: server, Mark: 6}, {Kind: outbound.Block, Tag: "b"}}},
		{marks: []uint32{2, 10}, socketed: true, sourced: true, outs: []outbound.Spec{
			{Kind: outbound.Direct, Tag: "a", Source: ofClient}, {Kind: outbound.Direct, Tag: "b", Mark: 10}}},
	} {
		o := testOptions()
		o.Path.Mark, o.Path.Source, o.Outbounds = 2, c.all, c.outs
		if err := o.Validate(); err != nil {
			t.Error(err)
		}
		marks := o.marks()
		slices.Sort(marks)
		socketed, sourced := o.sources()
		if !slices.Equal(marks, c.marks) || socketed != c.socketed || sourced != c.sourced || o.bear() != c.sourced {
			t.Errorf("%+v: marks %v, socketed %v, sourced %v, bear %v", c, marks, socketed, sourced, o.bear())
		}
		defaults := o.defaults()
		if returns := defaults.Returns(&o.Inbounds[0]); returns != (c.sourced || c.all == ofClient) {
			t.Errorf("%+v: takes replies: %v", c, returns)
		}
	}
}
