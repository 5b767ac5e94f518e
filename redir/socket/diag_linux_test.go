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
			found, ok := d.Find(network, own.addr, local)
			if !ok || !found.HasMark || found.Mark != want || found.UID != uint32(os.Geteuid()) {
				t.Errorf("%s, network %d: %+v, %v", addr, network, found, ok)
			}
			if fd, held := Holds(found.Cookie, own.fd); !held || fd != own.fd {
				t.Errorf("%s, network %d: socket %d has the cookie of %d, %v", addr, network, fd, own.fd, held)
			}
			if fd, held := Holds(found.Cookie, own.fd-1); held {
				t.Errorf("%s, network %d: socket %d has it too", addr, network, fd)
			}
			gone := netip.AddrPortFrom(own.addr.Addr(), 1)
			if found, ok := d.Find(network, gone, local); ok && found.Mark == want {
				t.Errorf("%s, network %d: a socket at port 1: %+v", addr, network, found)
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

func FuzzParseDiag(f *testing.F) {
	f.Add(make([]byte, headerSize+answerSize+8))
	f.Fuzz(func(_ *testing.T, b []byte) { parseDiag(b) })
}
