package proxyproto

import (
	"encoding/binary"
	"net/netip"
	"testing"
)

func TestAppendV1(t *testing.T) {
	for _, c := range []struct {
		source, dest netip.AddrPort
		want         string
	}{
		{client4, dest4, "PROXY TCP4 192.0.2.1 198.51.100.7 40000 443\r\n"},
		{client6, dest6, "PROXY TCP6 2001:db8::1 2001:db8:0:7::9 40000 443\r\n"},
		{client4, dest6, "PROXY TCP6 ::ffff:c000:201 2001:db8:0:7::9 40000 443\r\n"},
		{client6, dest4, "PROXY TCP6 2001:db8::1 ::ffff:c633:6407 40000 443\r\n"},
		{netip.MustParseAddrPort("[fe80::1%eth0]:1"), dest6, "PROXY TCP6 fe80::1 2001:db8:0:7::9 1 443\r\n"},
		{netip.AddrPort{}, dest6, "PROXY UNKNOWN\r\n"},
	} {
		if got := string(AppendV1([]byte("x"), c.source, c.dest)); got != "x"+c.want {
			t.Errorf("%s to %s: %q, want %q", c.source, c.dest, got, c.want)
		}
	}
}

func TestAppendV2(t *testing.T) {
	const sign = "\r\n\r\n\x00\r\nQUIT\n\x21"
	for _, c := range []struct {
		network      Network
		source, dest netip.AddrPort
		want         string
	}{
		{TCP, client4, dest4, "\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x07\x9c\x40\x01\xbb"},
		{UDP, client4, dest4, "\x12\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x07\x9c\x40\x01\xbb"},
		{TCP, client6, dest4, "\x21\x00\x24\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" +
			"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xc6\x33\x64\x07\x9c\x40\x01\xbb"},
		{TCP, client6, netip.AddrPort{}, "\x00\x00\x00"},
		{Unix, client6, dest6, "\x00\x00\x00"},
	} {
		if got := string(AppendV2([]byte("x"), c.network, c.source, c.dest)); got != "x"+sign+c.want {
			t.Errorf("%s to %s: %q, want %q", c.source, c.dest, got, c.want)
		}
	}
}

// addrPort is one that 18 bytes describe; half of them are IPv4.
func addrPort(b [18]byte) netip.AddrPort {
	a := netip.AddrFrom16([16]byte(b[:])).Unmap()
	if b[0]&1 != 0 {
		a = netip.AddrFrom4([4]byte(b[4:]))
	}
	return netip.AddrPortFrom(a, binary.BigEndian.Uint16(b[16:]))
}

// FuzzRoundTrip asserts that what is written is read again.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("\x00123456789012345ab\x01123456789012345cd"))
	f.Add([]byte("\x01123456789012345ab\x01123456789012345cd"))
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x01\x02\x03\x04ab\x00123456789012345cd"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 36 {
			return
		}
		source, dest := addrPort([18]byte(b)), addrPort([18]byte(b[18:]))
		for _, c := range []struct {
			b    []byte
			want Header
		}{
			{AppendV1(nil, source, dest), Header{V1, false, TCP, source, dest}},
			{AppendV2(nil, TCP, source, dest), Header{V2, false, TCP, source, dest}},
			{AppendV2(nil, UDP, source, dest), Header{V2, false, UDP, source, dest}},
		} {
			if h, n, v := Parse(c.b); h != c.want || n != len(c.b) || v != Complete {
				t.Errorf("%q: %+v, %d bytes, %d, want %+v", c.b, h, n, v, c.want)
			}
			if c.want.Version == V2 && len(c.b) != V2Size(source.Addr(), dest.Addr()) || len(c.b) > MostAppended {
				t.Errorf("%q has %d bytes", c.b, len(c.b))
			}
		}
	})
}

func TestAppendDoesNotAllocate(t *testing.T) {
	b := make([]byte, 0, MostAppended)
	for _, pair := range [][2]netip.AddrPort{{client4, dest4}, {client6, dest6}, {client4, dest6}} {
		if n := testing.AllocsPerRun(100, func() {
			AppendV1(b, pair[0], pair[1])
			AppendV2(b, TCP, pair[0], pair[1])
		}); n != 0 {
			t.Errorf("%s to %s: %v allocations", pair[0], pair[1], n)
		}
	}
}
