package udp

import (
	"net/netip"
	"testing"

	"sluice/redir/icmp"
	"sluice/redir/proxyproto"
)

// TestWithoutPreface asserts that a client is told of what it has sent itself, and
// of a path's MTU without the header that it knows nothing of.
func TestWithoutPreface(t *testing.T) {
	for _, pair := range [][2]string{{"10.0.0.2:4000", "198.51.100.7:53"}, {"[fd00::2]:4000", "[2001:db8::7]:53"}} {
		client, dest := netip.MustParseAddrPort(pair[0]), netip.MustParseAddrPort(pair[1])
		sent := proxyproto.AppendV2(nil, proxyproto.UDP, client, dest)
		size := uint32(len(sent))
		sent = append(sent, "payload"...)
		tooBig := icmp.Error{Type: 2, Info: 1400}
		refused := icmp.Error{Type: 1, Code: 4, Info: 0}
		if dest.Addr().Is4() {
			tooBig, refused = icmp.Error{Type: 3, Code: 4, Info: 1400}, icmp.Error{Type: 3, Code: 3}
		}
		was := refused
		if got := withoutPreface(&refused, sent, client, dest); string(got) != "payload" || refused != was {
			t.Errorf("%v: %q, %+v", dest, got, refused)
		}
		if withoutPreface(&tooBig, sent, client, dest); tooBig.Info != 1400-size {
			t.Errorf("%v: an MTU of %d", dest, tooBig.Info)
		}
		if got := withoutPreface(&refused, sent[:8], client, dest); len(got) != 0 {
			t.Errorf("%v: %q of a short quote", dest, got)
		}
	}
}
