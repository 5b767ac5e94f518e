//go:build linux

package serve_test

import (
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/bench/frame"
	"sluice/bench/serve"
)

// move asks one at a time until the connection, the server's only one on a goroutine,
// is on a reactor; the next seq is returned.
func move(t *testing.T, s *serve.Server, conn net.Conn) (seq uint64) {
	t.Helper()
	buf := make([]byte, 200)
	for ; seq < serve.Lasting+5; seq++ {
		if _, err := conn.Write(requests(1, len(buf), seq)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(conn, buf); err != nil {
			t.Fatal(err)
		}
		if h, err := frame.Parse(buf); err != nil || h.Seq != seq {
			t.Fatalf("%+v, %v", h, err)
		}
	}
	waitFor(t, func() bool { return s.OnGoroutines() == 0 })
	return seq
}

// A connection on a reactor answers everything that was asked before the FIN, however
// it was asked and however late the client reads.
func TestHalfCloseOnAReactor(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		s := start(t, addr)
		for _, c := range []struct{ n, reply int }{{0, 100}, {1, 100}, {50, 3000}, {400, 60 << 10}, {3, 2 << 20}} {
			conn := dial(t, s)
			seq := move(t, s, conn)
			if _, err := conn.Write(requests(c.n, c.reply, seq)); err != nil {
				t.Fatal(err)
			}
			_ = conn.CloseWrite()
			if c.reply > 10_000 { // the window fills, and the connection leaves the reactor
				waitFor(t, func() bool { return s.OnGoroutines() == 1 })
			}
			got, err := io.ReadAll(conn)
			if err != nil {
				t.Fatal(err)
			}
			verify(t, got, c.n, c.reply, seq)
			waitFor(t, func() bool { return s.OnGoroutines() == 0 })
		}
	}
}

// What is no small, whole and sound request is treated on a reactor as elsewhere.
func TestOddRequestsOnAReactor(t *testing.T) {
	s := start(t, "127.0.0.1:0")
	conn := dial(t, s)
	seq := move(t, s, conn)
	bad := requests(1, 100, seq)
	bad[60] ^= 1
	if _, err := conn.Write(bad); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, frame.HeaderSize)
	if _, err := io.ReadFull(conn, b); err != nil {
		t.Fatal(err)
	}
	if h, err := frame.Parse(b); err != nil || h.Kind != frame.Refused {
		t.Errorf("answer to a corrupt request: %+v, %v", h, err)
	}
	for _, part := range [][]byte{requests(1, 100, seq)[:20], requests(1, 100, seq)[20:]} { // in two pieces
		if _, err := conn.Write(part); err != nil {
			t.Fatal(err)
		}
		waitFor(t, func() bool { return unacknowledged(t, conn) == 0 }) // so that they arrive as two
	}
	b = make([]byte, 100)
	if _, err := io.ReadFull(conn, b); err != nil {
		t.Fatal(err)
	}
	verify(t, b, 1, 100, seq)
	big := frame.NewSlot(make([]byte, 1<<20), 1).Put(frame.Header{Kind: frame.Request, Reply: 100, Flow: 7, Seq: 3})
	verify(t, exchange(t, conn, big), 1, 100, 3)

	conn = dial(t, s)
	move(t, s, conn)
	if got := exchange(t, conn, bytes.Repeat([]byte("x"), frame.HeaderSize)); len(got) > 0 {
		t.Errorf("%d bytes answer what is no frame", len(got))
	}
}

// Close ends the connections of goroutines and reactors alike, and leaves no
// descriptor and no goroutine.
func TestCloseLeavesNothing(t *testing.T) {
	_ = start(t, "127.0.0.1:0").Close() // what the process opens once
	descriptors, goroutines := open(t), runtime.NumGoroutine()
	s := start(t, "127.0.0.1:0")
	moved := dial(t, s)
	move(t, s, moved)
	kept := dial(t, s)
	waitFor(t, func() bool { return s.OnGoroutines() == 1 })
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	for _, conn := range []*net.TCPConn{moved, kept} {
		if n, err := conn.Read(make([]byte, 1)); n > 0 || err == nil || os.IsTimeout(err) {
			t.Errorf("a connection outlives its server: %d bytes, %v", n, err)
		}
		_ = conn.Close()
	}
	waitFor(t, func() bool { return open(t) <= descriptors && runtime.NumGoroutine() <= goroutines })
}

// open is how many descriptors the process has.
func open(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// gnet, which logs to standard output where nobody says otherwise, says nothing.
func TestSilence(t *testing.T) {
	out, err := exec.Command(os.Args[0], "-test.run", "^TestHalfCloseOnAReactor$").CombinedOutput()
	if err != nil || bytes.Contains(out, []byte("gnet")) {
		t.Errorf("%v: %s", err, out)
	}
}

// unacknowledged is how many bytes the peer's kernel does not have yet.
func unacknowledged(t *testing.T, conn net.Conn) (n int) {
	t.Helper()
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) }); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}
