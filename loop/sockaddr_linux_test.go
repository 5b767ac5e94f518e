package loop

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

func TestSockaddrRoundTrip(t *testing.T) {
	for _, c := range []struct {
		addr  string
		scope uint32
		size  int
	}{
		{"192.0.2.7:53", 0, unix.SizeofSockaddrInet4},
		{"0.0.0.0:0", 0, unix.SizeofSockaddrInet4},
		{"[2001:db8::7]:65535", 0, unix.SizeofSockaddrInet6},
		{"[fe80::7]:546", 9, unix.SizeofSockaddrInet6},
	} {
		b := make([]byte, SockaddrSize)
		for i := range b {
			b[i] = 0xff // what was there before must not show
		}
		want := netip.MustParseAddrPort(c.addr)
		n := PutSockaddr(b, want, c.scope)
		got, scope, ok := ParseSockaddr(b[:n])
		if n != c.size || !ok || got != want || scope != c.scope {
			t.Errorf("%s scope %d: %d bytes, parsed as %s scope %d, %v", c.addr, c.scope, n, got, scope, ok)
		}
		for cut := range n {
			if _, _, ok := ParseSockaddr(b[:cut]); ok && cut < c.size {
				t.Errorf("%s: %d of %d bytes are taken for an address", c.addr, cut, n)
			}
		}
	}
}

func TestSockaddrUnmaps(t *testing.T) {
	var b [SockaddrSize]byte
	PutSockaddr(b[:], netip.MustParseAddrPort("[::ffff:192.0.2.7]:53"), 0)
	if got, _, _ := ParseSockaddr(b[:]); got != netip.MustParseAddrPort("192.0.2.7:53") {
		t.Errorf("a mapped address is parsed as %s", got)
	}
}

func FuzzParseSockaddr(f *testing.F) {
	var b [SockaddrSize]byte
	f.Add(b[:PutSockaddr(b[:], netip.MustParseAddrPort("192.0.2.7:53"), 0)])
	f.Add(b[:PutSockaddr(b[:], netip.MustParseAddrPort("[fe80::7]:53"), 3)])
	f.Fuzz(func(t *testing.T, in []byte) {
		addr, scope, ok := ParseSockaddr(in)
		if !ok {
			return
		}
		if addr.Addr().Is4In6() || addr.Addr().Zone() != "" {
			t.Fatalf("%v is mapped or has a zone", addr)
		}
		var out [SockaddrSize]byte
		again, scopeAgain, ok := ParseSockaddr(out[:PutSockaddr(out[:], addr, scope)])
		if !ok || again != addr || !addr.Addr().Is4() && scopeAgain != scope {
			t.Fatalf("%v scope %d becomes %v scope %d", addr, scope, again, scopeAgain)
		}
	})
}
