package proxyproto

import (
	"bufio"
	"bytes"
	"net"
	"net/netip"
	"testing"

	"github.com/pires/go-proxyproto"
)

// oracle is what the other parser makes of b: the header, and how many bytes of b
// it took. What it leaves to its callers, is done here: TLVs.
func oracle(b []byte) (*proxyproto.Header, int, bool) {
	in := bytes.NewReader(b)
	r := bufio.NewReaderSize(in, 1<<17)
	h, err := proxyproto.Read(r)
	if err != nil {
		return nil, 0, false
	}
	if _, err := h.TLVs(); err != nil && h.Command.IsProxy() {
		return nil, 0, false
	}
	return h, len(b) - in.Len() - r.Buffered(), true
}

// addrPortOf is an address of the oracle's, unmapped.
func addrPortOf(a net.Addr) netip.AddrPort {
	var ap netip.AddrPort
	switch a := a.(type) {
	case *net.TCPAddr:
		ap = a.AddrPort()
	case *net.UDPAddr:
		ap = a.AddrPort()
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// hasChecksum tells whether the oracle's header bears one, which it does not
// verify.
func hasChecksum(h *proxyproto.Header) bool {
	tlvs, _ := h.TLVs()
	for _, t := range tlvs {
		if t.Type == proxyproto.PP2_TYPE_CRC32C {
			return true
		}
	}
	return false
}

// passesOver tells whether a whole header is one that the oracle refuses and the
// specification does not: one of version 2 of which a half is unspecified, or an
// UNKNOWN with a line feed in it.
func passesOver(h Header, header []byte) bool {
	if h.Version == V1 {
		return h.Network == Unspecified && bytes.Count(header, []byte{'\n'}) > 1
	}
	return header[13]&0xf0 == 0 || header[13]&0xf == 0
}

func agree(t *testing.T, b []byte) {
	h, n, v := Parse(b)
	o, took, ok := oracle(b)
	switch {
	case v == Complete && !ok:
		if !passesOver(h, b[:n]) {
			t.Errorf("%q: %+v, and the oracle refuses it", b, h)
		}
		return
	case ok && v != Complete:
		if !hasChecksum(o) {
			t.Errorf("%q: verdict %d, and the oracle says %+v", b, v, o)
		}
		return
	case !ok:
		return
	}
	if took != n {
		t.Errorf("%q: %d bytes, the oracle took %d", b, n, took)
	}
	if int(h.Version) != int(o.Version) {
		t.Errorf("%q: %+v, the oracle says %+v", b, h, o)
	}
	if !h.HasAddrs() {
		return
	}
	if h.Source != addrPortOf(o.SourceAddr) || h.Dest != addrPortOf(o.DestinationAddr) {
		t.Errorf("%q: %+v, the oracle says %s, %s", b, h, o.SourceAddr, o.DestinationAddr)
	}
	if _, _, isUDP := o.UDPAddrs(); isUDP != (h.Network == UDP) {
		t.Errorf("%q: %+v, the oracle says %s", b, h, o.SourceAddr.Network())
	}
}

// FuzzParse compares with another parser, and asserts that a header is read the
// same way however it is cut.
func FuzzParse(f *testing.F) {
	proxyproto.MaxV2HeaderSize = 1<<16 - 1
	proxyproto.V1AcceptIPv4InTCP6 = true
	for _, c := range whole {
		f.Add(c.b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		agree(t, b)
		h, n, v := Parse(b)
		if (v == Complete) != (h.Version != 0) || v == Complete && n > len(b) || v == Incomplete && n <= len(b) {
			t.Fatalf("%q: %+v, %d bytes, %d", b, h, n, v)
		}
		for i := range min(len(b), 300) {
			part, least, verdict := Parse(b[:i])
			switch {
			case verdict == Incomplete && v == Complete && least <= n:
			case verdict == Incomplete && v != Complete:
			case verdict == v && part == h:
			default:
				t.Fatalf("%q, first %d: %+v, %d bytes, %d; whole %+v, %d bytes, %d", b, i, part, least, verdict, h, n, v)
			}
		}
	})
}

// TestOracleReadsWhatIsAppended asserts that others read what this package writes.
func TestOracleReadsWhatIsAppended(t *testing.T) {
	for _, pair := range [][2]netip.AddrPort{{client4, dest4}, {client6, dest6}, {client4, dest6}, {client6, dest4}} {
		for _, b := range [][]byte{AppendV1(nil, pair[0], pair[1]), AppendV2(nil, TCP, pair[0], pair[1]), AppendV2(nil, UDP, pair[0], pair[1])} {
			h, took, ok := oracle(append(b, "GET"...))
			if !ok || took != len(b) || addrPortOf(h.SourceAddr) != pair[0] || addrPortOf(h.DestinationAddr) != pair[1] {
				t.Errorf("%q: %+v, %d bytes, %v", b, h, took, ok)
			}
		}
	}
}
