package udp

import (
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func FuzzParseError(f *testing.F) {
	control := make([]byte, unix.CmsgSpace(16+unix.SizeofSockaddrInet4))
	control[0] = byte(unix.CmsgLen(16 + unix.SizeofSockaddrInet4))
	control[12] = unix.IP_RECVERR
	f.Add(control)
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, ok := parseError(b); ok && !e.Offender.IsValid() {
			t.Errorf("an offender that is none, of %x", b)
		}
	})
}

// TestNarrowPathsAreBounded fills the memory of narrow paths, lets them pass,
// and fills it anew.
func TestNarrowPathsAreBounded(t *testing.T) {
	var p narrowPaths
	p.init()
	at := func(i int) netip.Addr {
		return netip.AddrFrom16([16]byte{0xfd, 14: byte(i >> 8), 15: byte(i)})
	}
	for i := range 3 * mostNarrow {
		p.add(at(i), int64(time.Second))
	}
	if n := len(p.until); n > mostNarrow {
		t.Errorf("%d paths are remembered", n)
	}
	last := at(3*mostNarrow - 1)
	if !p.has(last, int64(time.Second)) || p.has(last, int64(time.Second)+narrowKept) {
		t.Error("the last one is not known, or known for ever")
	}
}
