package socket

import (
	"io"
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// TestPeerAddr asks a socket whose connection is over, of which getpeername(2) knows
// no more.
func TestPeerAddr(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "[::1]"} {
		l, err := net.Listen("tcp", host+":0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		near, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer near.Close()
		far, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		_ = near.(*net.TCPConn).CloseWrite()
		if _, err := io.ReadAll(far); err != nil {
			t.Fatal(err)
		}
		far.Close()
		if _, err := io.ReadAll(near); err != nil {
			t.Fatal(err)
		}
		raw, err := near.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		_ = raw.Control(func(fd uintptr) {
			if at := PeerAddr(int(fd)); at.String() != l.Addr().String() {
				t.Errorf("the peer was %v, want %v", at, l.Addr())
			}
		})
	}
	fd, errno := New(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC)
	if errno != 0 {
		t.Fatal(errno)
	}
	defer unix.Close(fd)
	if at := PeerAddr(fd); at.IsValid() {
		t.Errorf("a socket that never had a peer has %v", at)
	}
}
