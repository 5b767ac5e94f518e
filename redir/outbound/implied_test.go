package outbound

import (
	"reflect"
	"testing"

	"sluice/redir/route"
)

func TestImplied(t *testing.T) {
	proxy := Spec{Kind: Socks, Tag: "proxy"}
	falling := Spec{Kind: Socks, Tag: "falling", Fallback: "direct"}
	group := Spec{Kind: Group, Tag: "group", Members: []string{"proxy", "direct"}}
	block := Spec{Kind: Block, Tag: "direct"}
	reset, drop := Spec{Kind: Block, Tag: route.Reset}, Spec{Kind: Block, Tag: route.Drop, Silent: true}
	for _, c := range []struct {
		written []Spec
		final   string
		leads   []string
		want    []Spec
	}{
		{nil, "", nil, nil},
		{[]Spec{proxy}, "", []string{"proxy"}, []Spec{proxy}},
		{nil, "", []string{route.Reset}, []Spec{direct(), reset}},
		{[]Spec{proxy}, "", []string{route.Drop, route.Reset, route.Drop}, []Spec{proxy, reset, drop}},
		{nil, "direct", nil, []Spec{direct()}},
		{[]Spec{proxy}, "direct", nil, []Spec{proxy, direct()}},
		{[]Spec{proxy}, "proxy", []string{"direct", route.Drop}, []Spec{proxy, direct(), drop}},
		{[]Spec{falling}, "", nil, []Spec{falling, direct()}},
		{[]Spec{proxy, group}, "group", nil, []Spec{proxy, group, direct()}},
		{[]Spec{proxy, block}, "direct", nil, []Spec{proxy, block}},
	} {
		r := route.Spec{Final: c.final}
		for _, tag := range c.leads {
			r.Rules = append(r.Rules, route.Rule{Outbound: tag})
		}
		if got := Implied(c.written, &r); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%v %s %v: %+v, want %+v", c.written, c.final, c.leads, got, c.want)
		}
	}
}
