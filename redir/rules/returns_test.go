package rules

import (
	"net/netip"
	"testing"
)

// TestReturnPort: each family has the port of listeners that are its own.
func TestReturnPort(t *testing.T) {
	v4 := Listener{netip.MustParseAddrPort("198.51.100.7:54"), true, true}
	v6 := Listener{netip.MustParseAddrPort("[2001:db8:7::7]:53"), true, true}
	tcp := Listener{netip.MustParseAddrPort("198.51.100.7:80"), true, false}
	for _, c := range []struct {
		spec   Spec
		v4, v6 uint16
	}{
		{Spec{UDPPort: 12345, Listeners: []Listener{v4}}, 12345, 12345},
		{Spec{Sources: Sources{UDPPort: 54, UDPPort6: 443}, UDPPort: 12345}, 54, 443},
		{Spec{Sources: Sources{UDPPort: 54}}, 54, 54},
		{Spec{Sources: Sources{UDPPort6: 443}}, 0, 443},
		{Spec{Listeners: []Listener{tcp, v4, v6}}, 54, 53},
		{Spec{Listeners: []Listener{tcp, v4}}, 54, 0},
		{Spec{Listeners: []Listener{tcp}}, 0, 0},
	} {
		if got4, got6 := c.spec.returnPort(familyIPv4), c.spec.returnPort(familyIPv6); got4 != c.v4 || got6 != c.v6 {
			t.Errorf("%+v: %d and %d, want %d and %d", c.spec, got4, got6, c.v4, c.v6)
		}
	}
}
