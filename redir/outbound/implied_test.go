package outbound

import (
	"reflect"
	"testing"

	"sluice/redir/route"
)

func TestImplied(t *testing.T) {
	proxy := Spec{Kind: Socks, Tag: "proxy"}
	reset, drop := Spec{Kind: Block, Tag: route.Reset}, Spec{Kind: Block, Tag: route.Drop, Silent: true}
	for _, c := range []struct {
		written []Spec
		leads   []string
		want    []Spec
	}{
		{nil, nil, nil},
		{[]Spec{proxy}, []string{"proxy"}, []Spec{proxy}},
		{nil, []string{route.Reset}, []Spec{{Kind: Direct, Tag: "direct"}, reset}},
		{[]Spec{proxy}, []string{route.Drop, route.Reset, route.Drop}, []Spec{proxy, reset, drop}},
	} {
		var r route.Spec
		for _, tag := range c.leads {
			r.Rules = append(r.Rules, route.Rule{Outbound: tag})
		}
		if got := Implied(c.written, &r); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%v %v: %+v, want %+v", c.written, c.leads, got, c.want)
		}
	}
}
