package loop

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// message is a control message as the kernel writes it.
func message(level, kind int32, data []byte) []byte {
	b := make([]byte, unix.CmsgSpace(len(data)))
	place, _ := putControlHeader(b, level, kind, len(data))
	copy(place, data)
	return b
}

func sockaddrOf(addr string, scope uint32) []byte {
	var b [SockaddrSize]byte
	return b[:PutSockaddr(b[:], netip.MustParseAddrPort(addr), scope)]
}

func segmentOf(n int32) []byte { return binary.NativeEndian.AppendUint32(nil, uint32(n)) }

func TestParseControl(t *testing.T) {
	dest4 := message(unix.SOL_IP, unix.IP_ORIGDSTADDR, sockaddrOf("198.51.100.1:53", 0))
	dest6 := message(unix.SOL_IPV6, unix.IPV6_ORIGDSTADDR, sockaddrOf("[fe80::1]:53", 4))
	merged := message(unix.SOL_UDP, unix.UDP_GRO, segmentOf(1200))
	tos4, tos6 := message(unix.SOL_IP, unix.IP_TOS, []byte{0xb9}), message(unix.SOL_IPV6, unix.IPV6_TCLASS, segmentOf(0xb9))
	stray := message(unix.SOL_SOCKET, unix.SO_TIMESTAMP, make([]byte, 13))
	for name, c := range map[string]struct {
		in   []byte
		want control
	}{
		"nothing":         {nil, control{}},
		"v4":              {dest4, control{dest: netip.MustParseAddrPort("198.51.100.1:53")}},
		"v6, merged":      {join(dest6, merged), control{dest: netip.MustParseAddrPort("[fe80::1]:53"), scope: 4, segment: 1200}},
		"after a stray":   {join(stray, merged, dest4), control{dest: netip.MustParseAddrPort("198.51.100.1:53"), segment: 1200}},
		"without padding": {dest4[:unix.CmsgLen(unix.SizeofSockaddrInet4)], control{dest: netip.MustParseAddrPort("198.51.100.1:53")}},
		"cut":             {join(merged, dest4[:len(dest4)-9]), control{segment: 1200}},
		"v4, class":       {join(tos4, dest4), control{dest: netip.MustParseAddrPort("198.51.100.1:53"), tos: 0xb9}},
		"v6, class":       {join(tos6, merged), control{segment: 1200, tos: 0xb9}},
		"no class":        {message(unix.SOL_IPV6, unix.IPV6_TCLASS, []byte{1}), control{}},
		"size of 0":       {make([]byte, 64), control{}},
		"no address":      {message(unix.SOL_IP, unix.IP_ORIGDSTADDR, make([]byte, 16)), control{}},
	} {
		if got := parseControl(c.in); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// TestPutControl reads what is sent with another parser.
func TestPutControl(t *testing.T) {
	for _, source := range []string{"203.0.113.9", "2001:db8::9"} {
		b := bytes.Repeat([]byte{0xff}, sendControl)
		addr := netip.MustParseAddr(source)
		e := Envelope{Source: addr, SourceScope: 7, TOS: 0xb9, Dest: netip.AddrPortFrom(addr, 1)}
		rest := putSegment(putEnvelope(b, &e), 1400)
		messages, err := unix.ParseSocketControlMessage(b[:len(b)-len(rest)])
		if err != nil || len(messages) != 3 {
			t.Fatalf("%s: %d messages, %v", source, len(messages), err)
		}
		info := append(make([]byte, 4), addr.AsSlice()...)
		info = append(info, 0, 0, 0, 0)
		if addr.Is6() {
			info = append(addr.AsSlice(), binary.NativeEndian.AppendUint32(nil, 7)...)
		}
		if got := messages[0].Data[:len(info)]; !bytes.Equal(got, info) {
			t.Errorf("%s: source %x, want %x", source, got, info)
		}
		if got := binary.NativeEndian.Uint32(messages[1].Data); got != 0xb9 {
			t.Errorf("%s: class %#x", source, got)
		}
		if got := binary.NativeEndian.Uint16(messages[2].Data); got != 1400 {
			t.Errorf("%s: segment %d", source, got)
		}
	}
}

func FuzzParseControl(f *testing.F) {
	f.Add(message(unix.SOL_UDP, unix.UDP_GRO, segmentOf(1200)))
	f.Add(message(unix.SOL_IP, unix.IP_ORIGDSTADDR, sockaddrOf("198.51.100.1:53", 0)))
	f.Add(message(unix.SOL_IPV6, unix.IPV6_ORIGDSTADDR, sockaddrOf("[fe80::1]:53", 4)))
	f.Add(message(unix.SOL_IP, unix.IP_TOS, []byte{0xb8}))
	f.Add(message(unix.SOL_IPV6, unix.IPV6_TCLASS, segmentOf(0xb8)))
	f.Fuzz(func(t *testing.T, in []byte) {
		got := parseControl(in)
		messages, err := unix.ParseSocketControlMessage(in)
		if err != nil {
			return // it refuses the whole; parseControl takes what comes before
		}
		var want control
		for _, m := range messages {
			switch {
			case m.Header.Level == unix.SOL_UDP && m.Header.Type == unix.UDP_GRO && len(m.Data) >= 4:
				want.segment = int(int32(binary.NativeEndian.Uint32(m.Data)))
			case m.Header.Level == unix.SOL_IP && m.Header.Type == unix.IP_ORIGDSTADDR,
				m.Header.Level == unix.SOL_IPV6 && m.Header.Type == unix.IPV6_ORIGDSTADDR:
				want.dest, want.scope, _ = ParseSockaddr(m.Data)
			case m.Header.Level == unix.SOL_IP && m.Header.Type == unix.IP_TOS && len(m.Data) >= 1:
				want.tos = m.Data[0]
			case m.Header.Level == unix.SOL_IPV6 && m.Header.Type == unix.IPV6_TCLASS && len(m.Data) >= 4:
				want.tos = uint8(binary.NativeEndian.Uint32(m.Data))
			}
		}
		if got != want {
			t.Fatalf("%+v, want %+v", got, want)
		}
	})
}
