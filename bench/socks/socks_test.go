//go:build linux

package socks

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const patience = 10 * time.Second

// loopbacks are the addresses of the tests, one for each family.
func loopbacks() []string { return []string{"127.0.0.1", "::1"} }

// start runs a server at a free port of an address.
func start(t *testing.T, host string, relays ...Relay) netip.AddrPort {
	t.Helper()
	at := free(t, host)
	s, err := Listen(Options{Listen: []netip.AddrPort{at}, Relays: relays, Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return at
}

// free is a port that nobody listens at.
func free(t *testing.T, host string) netip.AddrPort {
	t.Helper()
	ln, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).AddrPort()
}

// echo answers streams and datagrams with themselves, at one address.
func echo(t *testing.T, host string) netip.AddrPort {
	t.Helper()
	ln, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	at := ln.Addr().(*net.TCPAddr).AddrPort()
	u, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close(); u.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	go func() {
		b := make([]byte, 1<<16)
		for {
			n, from, err := u.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			_, _ = u.WriteToUDPAddrPort(b[:n], from)
		}
	}()
	return at
}

func dial(t *testing.T, at netip.AddrPort) *net.TCPConn {
	t.Helper()
	c, err := net.DialTimeout("tcp", at.String(), patience)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

// ask sends a request, a piece of so many bytes after the other, and reads the answers.
func ask(t *testing.T, c net.Conn, command byte, dest netip.AddrPort, piece int) (reply byte, bound netip.AddrPort) {
	t.Helper()
	hello := appendEndpoint([]byte{version, 1, 0, version, command, 0}, dest)
	for len(hello) > 0 {
		n := min(piece, len(hello))
		if _, err := c.Write(hello[:n]); err != nil {
			t.Fatal(err)
		}
		hello = hello[n:]
	}
	answer := make([]byte, 6)
	if _, err := io.ReadFull(c, answer); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(answer[:2], []byte{version, 0}) || answer[2] != version {
		t.Fatalf("answer % x", answer)
	}
	rest := make([]byte, map[byte]int{atypIPv4: 6, atypIPv6: 18}[answer[5]])
	if _, err := io.ReadFull(c, rest); err != nil {
		t.Fatal(err)
	}
	bound, _, _ = endpoint(append(answer[5:], rest...))
	return answer[3], bound
}

func TestConnect(t *testing.T) {
	for _, host := range loopbacks() {
		at, server := start(t, host), echo(t, host)
		for _, piece := range []int{1, 3, 100} {
			for _, size := range []int{1, 100_000, 10 << 20} {
				c := dial(t, at)
				if reply, _ := ask(t, c, cmdConnect, server, piece); reply != succeeded {
					t.Fatalf("reply %d", reply)
				}
				exchange(t, c, size)
			}
		}
		c := dial(t, at)
		if reply, _ := ask(t, c, cmdConnect, free(t, host), 100); reply != connectionRefused {
			t.Errorf("reply %d where nobody listens", reply)
		}
		c = dial(t, at)
		if reply, _ := ask(t, c, 2, server, 100); reply != commandUnsupported {
			t.Errorf("reply %d to BIND", reply)
		}
	}
}

func TestRelay(t *testing.T) {
	for _, host := range loopbacks() {
		way := Relay{Listen: free(t, host), Dest: echo(t, host)}
		start(t, host, way)
		exchange(t, dial(t, way.Listen), 10<<20)
	}
}

// exchange sends bytes and FIN through an echo, and wants the same back.
func exchange(t *testing.T, c *net.TCPConn, size int) {
	t.Helper()
	want := make([]byte, size)
	_, _ = rand.Read(want)
	sent := make(chan error, 1)
	go func() {
		_, err := c.Write(want)
		sent <- errors.Join(err, c.CloseWrite())
	}()
	got, err := io.ReadAll(c)
	if err = errors.Join(err, <-sent); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%d bytes of %d came back: %v", len(got), size, err)
	}
}

func TestAnswers(t *testing.T) {
	dest := netip.MustParseAddrPort("192.0.2.1:80") // which nobody has
	way := Relay{Listen: free(t, "127.0.0.1"), Dest: dest}
	at := free(t, "127.0.0.1")
	s, err := Listen(Options{Listen: []netip.AddrPort{at}, Relays: []Relay{way}, Answers: []netip.AddrPort{dest}, Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, by := range []netip.AddrPort{at, way.Listen} {
		c := dial(t, by)
		if by == at {
			if reply, _ := ask(t, c, cmdConnect, dest, 100); reply != succeeded {
				t.Fatalf("reply %d", reply)
			}
		}
		for _, part := range []string{"GET / HTTP/1.1\r\n", "Host: x\r\n\r\n"} {
			if _, err := io.WriteString(c, part); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, page()) {
			t.Errorf("%q, %v", got, err)
		}
	}
}

func TestResetsArePassedOn(t *testing.T) {
	at := start(t, "127.0.0.1")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c := dial(t, at)
	ask(t, c, cmdConnect, ln.Addr().(*net.TCPAddr).AddrPort(), 100)
	far, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = far.(*net.TCPConn).SetLinger(0)
	far.Close()
	if _, err := io.ReadAll(c); !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("%v, want a reset", err)
	}
}

func TestAssociate(t *testing.T) {
	for _, host := range loopbacks() {
		at, servers := start(t, host), []netip.AddrPort{echo(t, host), echo(t, host)}
		control := dial(t, at)
		reply, relay := ask(t, control, cmdAssociate, netip.AddrPortFrom(netip.IPv4Unspecified(), 0), 100)
		if reply != succeeded {
			t.Fatalf("reply %d", reply)
		}
		c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(relay))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(patience))
		raw, err := c.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		for _, segment := range []int{0, 700} { // 0: each by itself
			_ = raw.Control(func(fd uintptr) {
				err = unix.SetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_SEGMENT, segment)
			})
			if err != nil {
				t.Fatal(err)
			}
			for i, size := range []int{0, 1, 1400, 9000} {
				head := appendEndpoint([]byte{0, 0, 0}, servers[i%2])
				var out []byte
				want := map[string]int{}
				for n := size + len(head); n > 0; {
					one := n
					if segment > 0 {
						one = min(n, segment)
					}
					body := make([]byte, max(0, one-len(head)))
					_, _ = rand.Read(body)
					out, n = append(append(out, head...), body...), n-one
					want[string(head)+string(body)]++
				}
				if segment > 0 && len(out)%segment != 0 && len(out)%segment < len(head) {
					continue // the last datagram would have no whole header
				}
				if _, err := c.Write(out); err != nil {
					t.Fatal(err)
				}
				for range len(want) {
					b := make([]byte, 1<<16)
					n, err := c.Read(b)
					if err != nil || want[string(b[:n])] == 0 {
						t.Fatalf("%d bytes, %v, segment %d, of %d", n, err, segment, size)
					}
					want[string(b[:n])]--
				}
			}
		}
		control.Close()
		for { // the near socket ends with the connection
			if _, err = c.Write([]byte{0}); err != nil {
				break
			}
		}
		if !errors.Is(err, unix.ECONNREFUSED) {
			t.Errorf("%v after the association's end, want a refusal", err)
		}
	}
}
