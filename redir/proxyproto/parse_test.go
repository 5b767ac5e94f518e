package proxyproto

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"net/netip"
	"strings"
	"testing"
)

var (
	client4 = netip.MustParseAddrPort("192.0.2.1:40000")
	dest4   = netip.MustParseAddrPort("198.51.100.7:443")
	client6 = netip.MustParseAddrPort("[2001:db8::1]:40000")
	dest6   = netip.MustParseAddrPort("[2001:db8:0:7::9]:443")
)

// header2 is one of version 2, of any shape.
func header2(command, family byte, block ...[]byte) []byte {
	all := bytes.Join(block, nil)
	b := append([]byte(signatureV2), command, family)
	return append(binary.BigEndian.AppendUint16(b, uint16(len(all))), all...)
}

func tlv(kind byte, value []byte) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{kind}, uint16(len(value))), value...)
}

// block4 is the addresses of client4 and dest4.
var block4 = AppendV2(nil, TCP, client4, dest4)[headV2:]

// summed is a header with a checksum as its last TLV.
func summed(family byte, block ...[]byte) []byte {
	b := header2(0x21, family, append(block, tlv(typeCRC, make([]byte, 4)))...)
	binary.BigEndian.PutUint32(b[len(b)-4:], crc32.Checksum(b, castagnoli))
	return b
}

// bent is b with one byte changed.
func bent(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 1
	return b
}

var whole = map[string]struct {
	b    []byte
	want Header
}{
	"TCP4":         {[]byte("PROXY TCP4 192.0.2.1 198.51.100.7 40000 443\r\n"), Header{V1, false, TCP, client4, dest4}},
	"TCP6":         {[]byte("PROXY TCP6 2001:db8::1 2001:DB8:0:7:0:0:0:9 40000 443\r\n"), Header{V1, false, TCP, client6, dest6}},
	"TCP6, mapped": {[]byte("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:c633:6407 40000 443\r\n"), Header{V1, false, TCP, client4, dest4}},
	"TCP6, nginx":  {[]byte("PROXY TCP6 2001:db8::1 198.51.100.7 40000 443\r\n"), Header{V1, false, TCP, client6, dest4}},
	"TCP6, longest": {[]byte("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
		Header{V1, false, TCP, netip.MustParseAddrPort("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"), netip.MustParseAddrPort("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535")}},
	"UNKNOWN":       {[]byte("PROXY UNKNOWN\r\n"), Header{Version: V1}},
	"UNKNOWN, long": {[]byte("PROXY UNKNOWN " + strings.Repeat("x", mostV1-16) + "\r\n"), Header{Version: V1}},

	"v2 TCP4": {header2(0x21, 0x11, block4), Header{V2, false, TCP, client4, dest4}},
	"v2 UDP4": {header2(0x21, 0x12, block4), Header{V2, false, UDP, client4, dest4}},
	"v2 TCP6": {AppendV2(nil, TCP, client6, dest6), Header{V2, false, TCP, client6, dest6}},
	"v2 UDP6": {AppendV2(nil, UDP, client6, dest6), Header{V2, false, UDP, client6, dest6}},
	"v2 TLVs": {header2(0x21, 0x11, block4, tlv(0x01, []byte("h2")), tlv(0x04, nil), tlv(0x20, bytes.Repeat([]byte{1}, 300))),
		Header{V2, false, TCP, client4, dest4}},
	"v2 sum":         {summed(0x11, block4, tlv(0xe0, []byte("x"))), Header{V2, false, TCP, client4, dest4}},
	"v2 longest":     {header2(0x21, 0x11, block4, tlv(0x04, make([]byte, 1<<16-1-12-3))), Header{V2, false, TCP, client4, dest4}},
	"v2 LOCAL":       {header2(0x20, 0), Header{Version: V2, Local: true}},
	"v2 LOCAL, any":  {header2(0x20, 0x11, []byte("anything")), Header{Version: V2, Local: true}},
	"v2 AF_UNIX":     {header2(0x21, 0x31, make([]byte, 216)), Header{Version: V2, Network: Unix}},
	"v2 UNSPEC":      {header2(0x21, 0, []byte("anything")), Header{Version: V2}},
	"v2 half UNSPEC": {header2(0x21, 0x10, []byte("anything")), Header{Version: V2}},
}

// TestParse asserts that a header is the same however it arrives: whole, with the
// stream behind it, and byte by byte.
func TestParse(t *testing.T) {
	for name, c := range whole {
		for _, after := range []string{"", "PROXY TCP4", "\x00"} {
			h, n, v := Parse(append(bytes.Clone(c.b), after...))
			if h != c.want || n != len(c.b) || v != Complete {
				t.Errorf("%s before %q: %+v, %d of %d bytes, %d", name, after, h, n, len(c.b), v)
			}
		}
		step := max(1, len(c.b)/500)
		for i := 0; i < len(c.b); i += step {
			h, n, v := Parse(c.b[:i])
			if h != (Header{}) || n <= i || n > len(c.b) || v != Incomplete {
				t.Errorf("%s, %d of %d bytes: %+v, %d, %d", name, i, len(c.b), h, n, v)
			}
		}
		if got := c.want.HasAddrs(); got != c.want.Source.IsValid() {
			t.Errorf("%s has addresses: %v", name, got)
		}
	}
}

// TestParseKnowsTheLength asserts that what is too long is known to be before it
// has arrived.
func TestParseKnowsTheLength(t *testing.T) {
	b := whole["v2 longest"].b
	if _, n, v := Parse(b[:headV2]); n != MostBytes || n != len(b) || v != Incomplete {
		t.Errorf("%d bytes, %d", n, v)
	}
}

func TestParseRefuses(t *testing.T) {
	v2 := AppendV2(nil, TCP, client4, dest4)
	for name, c := range map[string]struct {
		b    []byte
		want Verdict
	}{
		"HTTP":                 {[]byte("GET / HTTP/1.1\r\n"), Absent},
		"POST":                 {[]byte("POST / HTTP/1.1\r\n"), Absent},
		"lower case":           {[]byte("proxy TCP4 192.0.2.1 198.51.100.7 40000 443\r\n"), Absent},
		"no space":             {[]byte("PROXYTCP4 192.0.2.1 198.51.100.7 40000 443\r\n"), Absent},
		"another signature":    {bent(v2, 11), Absent},
		"TLS":                  {[]byte{0x16, 3, 1}, Absent},
		"nothing":              {[]byte("PROXY \r\n"), Malformed},
		"another network":      {[]byte("PROXY UDP4 192.0.2.1 198.51.100.7 40000 443\r\n"), Malformed},
		"UNKNOWNS":             {[]byte("PROXY UNKNOWNS\r\n"), Malformed},
		"two spaces":           {[]byte("PROXY TCP4  192.0.2.1 198.51.100.7 40000 443\r\n"), Malformed},
		"space at the end":     {[]byte("PROXY TCP4 192.0.2.1 198.51.100.7 40000 443 \r\n"), Malformed},
		"no ports":             {[]byte("PROXY TCP4 192.0.2.1 198.51.100.7\r\n"), Malformed},
		"one port":             {[]byte("PROXY TCP4 192.0.2.1 198.51.100.7 40000\r\n"), Malformed},
		"port too high":        {[]byte("PROXY TCP4 192.0.2.1 198.51.100.7 65536 443\r\n"), Malformed},
		"port of six digits":   {[]byte("PROXY TCP4 192.0.2.1 198.51.100.7 400000 443\r\n"), Malformed},
		"port with zeros":      {[]byte("PROXY TCP4 192.0.2.1 198.51.100.7 40000 0443\r\n"), Malformed},
		"port with sign":       {[]byte("PROXY TCP4 192.0.2.1 198.51.100.7 40000 +443\r\n"), Malformed},
		"address with zeros":   {[]byte("PROXY TCP4 192.0.02.1 198.51.100.7 40000 443\r\n"), Malformed},
		"three parts":          {[]byte("PROXY TCP4 192.0.2 198.51.100.7 40000 443\r\n"), Malformed},
		"name":                 {[]byte("PROXY TCP4 localhost 198.51.100.7 40000 443\r\n"), Malformed},
		"TCP4 with IPv6":       {[]byte("PROXY TCP4 2001:db8::1 2001:db8::2 40000 443\r\n"), Malformed},
		"TCP4, mapped":         {[]byte("PROXY TCP4 ::ffff:192.0.2.1 198.51.100.7 40000 443\r\n"), Malformed},
		"zone":                 {[]byte("PROXY TCP6 fe80::1%eth0 2001:db8::2 40000 443\r\n"), Malformed},
		"line feed only":       {[]byte("PROXY TCP4 192.0.2.1 198.51.100.7 40000 443\n" + strings.Repeat("x", 99)), Malformed},
		"no end":               {[]byte("PROXY UNKNOWN " + strings.Repeat("x", mostV1)), Malformed},
		"too long by one":      {[]byte("PROXY UNKNOWN " + strings.Repeat("x", mostV1-15) + "\r\n"), Malformed},
		"v2 version 1":         {header2(0x11, 0x11, block4), Malformed},
		"v2 command 2":         {header2(0x22, 0x11, block4), Malformed},
		"v2 LOCAL, family 4":   {header2(0x20, 0x40), Malformed},
		"v2 family 4":          {header2(0x21, 0x41, block4), Malformed},
		"v2 network 3":         {header2(0x21, 0x13, block4), Malformed},
		"v2 early":             {header2(0x21, 0x13)[:14], Malformed},
		"v2 TCP4, short":       {header2(0x21, 0x11, block4[:11]), Malformed},
		"v2 TCP6, short":       {header2(0x21, 0x21, make([]byte, 35)), Malformed},
		"v2 AF_UNIX, short":    {header2(0x21, 0x31, make([]byte, 215)), Malformed},
		"v2 half a TLV":        {header2(0x21, 0x11, block4, []byte{4, 0}), Malformed},
		"v2 TLV beyond":        {header2(0x21, 0x11, block4, []byte{4, 0, 2, 1}), Malformed},
		"v2 TLV, then half":    {header2(0x21, 0x11, block4, tlv(4, []byte("xy")), []byte{4}), Malformed},
		"v2 AF_UNIX, half TLV": {header2(0x21, 0x31, make([]byte, 216), []byte{4}), Malformed},
		"v2 wrong sum":         {bent(summed(0x11, block4), headV2), Malformed},
		"v2 sum of 3 bytes":    {header2(0x21, 0x11, block4, tlv(typeCRC, make([]byte, 3))), Malformed},
	} {
		if h, n, v := Parse(c.b); h != (Header{}) || n != 0 || v != c.want {
			t.Errorf("%s: %+v, %d bytes, %d, want %d", name, h, n, v, c.want)
		}
	}
}

func TestParseDoesNotAllocate(t *testing.T) {
	for name, c := range whole {
		b := bytes.Clone(c.b)
		if n := testing.AllocsPerRun(100, func() { Parse(b) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for _, name := range []string{"TCP4", "TCP6", "UNKNOWN", "v2 TCP4", "v2 TCP6", "v2 sum"} {
		b.Run(name, func(b *testing.B) {
			header := bytes.Clone(whole[name].b)
			b.ReportAllocs()
			for b.Loop() {
				Parse(header)
			}
		})
	}
}
