package socket

import (
	"net/netip"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// TestDiagFindsTheMark asks for sockets of both networks and families, and for
// one that is not there.
func TestDiagFindsTheMark(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: SO_MARK takes CAP_NET_ADMIN or CAP_NET_RAW")
	}
	d, err := OpenDiag()
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, addr := range []string{"127.0.0.1", "::1"} {
		for i, network := range []int{unix.SOCK_STREAM, unix.SOCK_DGRAM} {
			want := uint32(0x1200 + i)
			remote := open(t, network, 0, netip.AddrPortFrom(netip.MustParseAddr(addr), 0))
			fd, local := remote.fd, remote.addr
			if network == unix.SOCK_STREAM {
				if err := unix.Listen(fd, 1); err != nil {
					t.Fatal(err)
				}
			}
			own := open(t, network, want, netip.AddrPortFrom(netip.MustParseAddr(addr), 0))
			if network == unix.SOCK_STREAM {
				if errno := Connect(own.fd, local); errno != 0 {
					t.Fatal(errno)
				}
			}
			if mark, ok := d.Mark(network, own.addr, local); !ok || mark != want {
				t.Errorf("%s, network %d: mark %#x, %v", addr, network, mark, ok)
			}
			gone := netip.AddrPortFrom(own.addr.Addr(), 1)
			if mark, ok := d.Mark(network, gone, local); ok && mark == want {
				t.Errorf("%s, network %d: a socket at port 1 has mark %#x", addr, network, mark)
			}
		}
	}
}

type bound struct {
	fd   int
	addr netip.AddrPort
}

func open(t *testing.T, network int, mark uint32, addr netip.AddrPort) bound {
	t.Helper()
	fd, errno := New(Family(addr.Addr()), network|unix.SOCK_CLOEXEC)
	if errno != 0 {
		t.Fatal(errno)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if errno := SetInt(fd, unix.SOL_SOCKET, unix.SO_MARK, int32(mark)); errno != 0 {
		t.Fatal(errno)
	}
	if err := Bind(fd, addr); err != nil {
		t.Fatal(err)
	}
	at, err := LocalAddr(fd)
	if err != nil {
		t.Fatal(err)
	}
	return bound{fd, at}
}

func FuzzParseDiagMark(f *testing.F) {
	f.Add(make([]byte, headerSize+answerSize+8))
	f.Fuzz(func(_ *testing.T, b []byte) { parseDiagMark(b) })
}
