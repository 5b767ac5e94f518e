package icmp

import (
	"bytes"
	"net/netip"
	"testing"
)

var pairs = []struct{ client, dest netip.AddrPort }{
	{netip.MustParseAddrPort("10.0.0.2:4000"), netip.MustParseAddrPort("198.51.100.7:53")},
	{netip.MustParseAddrPort("[fd00::2]:4000"), netip.MustParseAddrPort("[2001:db8::7]:53")},
}

// TestAppend asserts lengths, the quote and that each checksum comes out.
func TestAppend(t *testing.T) {
	for _, p := range pairs {
		for _, size := range []int{0, 1, 64, 1200} {
			payload := bytes.Repeat([]byte{7}, size)
			b := Append(nil, Error{Type: 3, Code: 3}, p.client, p.dest, payload)
			ip := ipv6Size
			if p.client.Addr().Is4() {
				ip = ipv4Size
				if checksum(b) != 0 || checksum(b[headerSize:headerSize+ip]) != 0 {
					t.Errorf("%s: checksums %x %x", p.client, checksum(b), checksum(b[headerSize:headerSize+ip]))
				}
			}
			if want := headerSize + ip + udpSize + min(size, quoted); len(b) != want || len(b) > MaxSize {
				t.Errorf("%s: %d bytes, want %d", p.client, len(b), want)
			}
			ports := b[headerSize+ip:]
			if got := uint16(ports[0])<<8 | uint16(ports[1]); got != p.client.Port() {
				t.Errorf("quotes port %d", got)
			}
		}
	}
}

func TestFragmentationNeededBearsTheMTU(t *testing.T) {
	b := Append(nil, Error{Type: 3, Code: 4, Info: 1400}, pairs[0].client, pairs[0].dest, nil)
	if got := int(b[6])<<8 | int(b[7]); got != 1400 {
		t.Errorf("next hop's MTU %d", got)
	}
}

// TestFor asserts what a client is told whose datagrams get ten bytes more.
func TestFor(t *testing.T) {
	offender4, offender6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	for _, c := range []struct {
		name        string
		e           Error
		v4, client4 bool
		want        Error
		ok          bool
	}{
		{"too big", Error{Type: 3, Code: 4, Info: 1400, Offender: offender4}, true, true, Error{Type: 3, Code: 4, Info: 1390, Offender: offender4}, true},
		{"too big, IPv6", Error{Type: 2, Info: 1400, Offender: offender6}, false, false, Error{Type: 2, Info: 1390, Offender: offender6}, true},
		{"too big, of IPv6 for IPv4", Error{Type: 2, Info: 1400, Offender: offender6}, false, true, Error{Type: 3, Code: 4, Info: 1370}, true},
		{"too big, of IPv4 for IPv6", Error{Type: 3, Code: 4, Info: 1400, Offender: offender4}, true, false, Error{Type: 2, Info: 1410}, true},
		{"too big, by how much unknown", Error{Type: 3, Code: 4, Offender: offender4}, true, true, Error{Type: 3, Code: 4, Offender: offender4}, true},
		{"unreachable", Error{Type: 3, Code: 3, Offender: offender4}, true, true, Error{Type: 3, Code: 3, Offender: offender4}, true},
		{"unreachable, of IPv4 for IPv6", Error{Type: 3, Code: 3, Offender: offender4}, true, false, Unreachable(true), true},
		{"unreachable, of IPv6 for IPv4", Error{Type: 1, Code: 4, Offender: offender6}, false, true, Unreachable(false), true},
		{"time exceeded, of IPv6 for IPv4", Error{Type: 3, Offender: offender6}, false, true, Error{}, false},
	} {
		if got, ok := c.e.For(c.v4, c.client4, 10); got != c.want || ok != c.ok {
			t.Errorf("%s: %+v %v, want %+v %v", c.name, got, ok, c.want, c.ok)
		}
	}
}

func TestParseTooBig(t *testing.T) {
	whole := Append(nil, Error{Type: 2, Info: 1400}, pairs[1].dest, pairs[1].client, []byte("x"))
	want := TooBig{From: pairs[1].dest, To: pairs[1].client, MTU: 1400}
	if got, ok := ParseTooBig(whole); !ok || got != want {
		t.Errorf("%+v, %v, want %+v", got, ok, want)
	}
	head, rest := whole[:headerSize+ipv6Size], whole[headerSize+ipv6Size:]
	split := append(bytes.Clone(head), protoUDP, 0, 0, 1, 0, 0, 0, 9)
	split[headerSize+6] = fragment
	if got, ok := ParseTooBig(append(split, rest...)); !ok || got != want {
		t.Errorf("of a fragment: %+v, %v", got, ok)
	}
	if got, ok := ParseTooBig(whole[:headerSize+ipv6Size+3]); !ok || got.To.Addr() != want.To.Addr() || got.To.Port() != 0 {
		t.Errorf("without ports: %+v, %v", got, ok)
	}
	for n := range headerSize + ipv6Size {
		if _, ok := ParseTooBig(whole[:n]); ok {
			t.Errorf("%d bytes were read", n)
		}
	}
	if _, ok := ParseTooBig(Append(nil, Error{Type: 1}, pairs[1].dest, pairs[1].client, nil)); ok {
		t.Error("another error was read")
	}
}

func FuzzParseTooBig(f *testing.F) {
	f.Add(Append(nil, Error{Type: 2, Info: 1280}, pairs[1].dest, pairs[1].client, []byte("x")))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, ok := ParseTooBig(b); ok && (!got.To.Addr().Is6() || !got.From.Addr().Is6()) {
			t.Errorf("%+v of %x", got, b)
		}
	})
}
