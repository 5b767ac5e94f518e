package rules

import (
	"testing"

	"github.com/mdlayher/netlink"
)

// FuzzForeignRules: the attributes of rules and routes come from whoever made
// them; none of them makes us read past an end.
func FuzzForeignRules(f *testing.F) {
	xtables, err := netlink.MarshalAttributes([]netlink.Attribute{
		{Type: 1, Data: []byte("mangle\x00")}, {Type: 2, Data: []byte("PREROUTING\x00")}, {Type: 3, Data: make([]byte, 8)},
		{Type: 4 | netlink.Nested, Data: []byte("\x20\x00\x01\x80\x0b\x00\x01\x00target\x00\x00\x10\x00\x02\x80\x0b\x00\x01\x00TPROXY\x00\x00")},
		{Type: 7, Data: []byte("\x00\x03ab\x00")},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append([]byte{2, 0, 0, 0}, xtables...))
	f.Add(make([]byte, 12))
	f.Fuzz(func(t *testing.T, data []byte) {
		if rule, err := parseHandRule(data); err == nil {
			found := sortByHand([]handRule{rule})
			_ = deliveries(append(found.delivering(), found.others...))
		}
		if rule, err := parseRule(data); err == nil {
			_ = rule.String()
			p := policy{mark: 1, mask: 1, table: 100, priority: 90}
			_, _ = p.place([]fibRule{rule})
		}
		if route, err := parseRoute(data); err == nil {
			_ = route.String()
		}
	})
}
