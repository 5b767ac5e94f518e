package socket

import (
	"net/netip"
	"testing"
)

func TestEndpoint(t *testing.T) {
	for _, s := range []string{"192.0.2.1:53", "0.0.0.0:0", "[2001:db8::1]:443", "[::]:65535", "[::1]:80"} {
		want := netip.MustParseAddrPort(s)
		if got := EndpointOf(want).AddrPort(); got != want {
			t.Errorf("%s came back as %s", want, got)
		}
	}
}
