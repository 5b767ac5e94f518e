//go:build linux

package e2e

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// payload is n bytes that look like noise, the same for the same n.
func payload(n int) []byte {
	p := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16)}).Read(p)
	return p
}

func mustWrite(t *testing.T, c *net.TCPConn, data []byte) {
	t.Helper()
	if _, err := c.Write(data); err != nil {
		t.Fatalf("write: %v", err)
	}
}

func mustCloseWrite(t *testing.T, c *net.TCPConn) {
	t.Helper()
	if err := c.CloseWrite(); err != nil {
		t.Fatalf("close write: %v", err)
	}
}

// wantBytes reads as many bytes as want has, and compares.
func wantBytes(t *testing.T, c io.Reader, want []byte) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c, got); err != nil {
		t.Fatalf("read %d of %d bytes: %v", n, len(want), err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("%d bytes arrived changed", len(want))
	}
}

// wantEnd reads exactly want and then a clean end.
func wantEnd(t *testing.T, c io.Reader, want []byte) {
	t.Helper()
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("read %d bytes (%v), want %d and a clean end", len(got), err, len(want))
	}
}

// wantReset reads exactly want and then a reset.
func wantReset(t *testing.T, c io.Reader, want []byte) {
	t.Helper()
	got, err := io.ReadAll(c)
	if !errors.Is(err, unix.ECONNRESET) || !bytes.Equal(got, want) {
		t.Fatalf("read %d bytes and %v, want %d and a reset", len(got), err, len(want))
	}
}

// reset closes with a RST (socket(7), SO_LINGER of 0). What the peer has not
// acknowledged by then is thrown away, so that is waited for.
func reset(t *testing.T, c *net.TCPConn) {
	t.Helper()
	until(t, "everything is acknowledged before the reset", func() bool {
		left := 0
		control(t, c, func(fd int) (err error) {
			left, err = unix.IoctlGetInt(fd, unix.TIOCOUTQ)
			return err
		})
		return left == 0
	})
	if err := c.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// streamCases are what two ends may do to each other. open makes a connection;
// each case runs with near as the client and with near as the server.
var streamCases = []struct {
	name string
	run  func(t *testing.T, open func() (near, far *net.TCPConn))
}{
	{"half closed first gets a late reply", lateReply},
	{"speaks first", speaksFirst},
	{"short message after a burst", shortAfterBurst},
	{"both close at once", bothClose},
	{"bytes right before FIN", bytesBeforeFIN},
	{"bytes right before RST", bytesBeforeRST},
	{"reset resets the other", resetResets},
	{"reset resets a half closed other", resetResetsHalfClosed},
	{"reset after own half close", resetAfterFIN},
	{"unread bytes at close reset", closeUnread},
	{"urgent byte stays urgent", urgentByte},
	{"many urgent bytes stall nothing", urgentMany},
}

func lateReply(t *testing.T, open func() (near, far *net.TCPConn)) {
	near, far := open()
	question, answer := payload(1000), payload(3<<20)
	mustWrite(t, near, question)
	mustCloseWrite(t, near)
	wantEnd(t, far, question)
	go func() {
		_, _ = far.Write(answer[:1])
		_, _ = far.Write(answer[1:])
		far.Close()
	}()
	wantEnd(t, near, answer)
}

// A relay that saves wake-ups while much comes must not wait for more after it.
func shortAfterBurst(t *testing.T, open func() (near, far *net.TCPConn)) {
	near, far := open()
	burst := payload(8 << 20)
	for range 5 {
		go func() { _, _ = near.Write(burst) }()
		wantBytes(t, far, burst)
		mustWrite(t, near, payload(3))
		wantBytes(t, far, payload(3))
		mustWrite(t, far, payload(5))
		wantBytes(t, near, payload(5))
	}
}

func speaksFirst(t *testing.T, open func() (near, far *net.TCPConn)) {
	near, far := open()
	mustWrite(t, near, payload(50))
	wantBytes(t, far, payload(50))
	mustWrite(t, far, payload(70_000))
	mustCloseWrite(t, far)
	wantEnd(t, near, payload(70_000))
	near.Close()
	wantEnd(t, far, nil)
}

func bothClose(t *testing.T, open func() (near, far *net.TCPConn)) {
	near, far := open()
	for _, c := range []*net.TCPConn{near, far} {
		go func() {
			_, _ = c.Write(payload(300_000))
			_ = c.CloseWrite()
		}()
	}
	done := make(chan []byte)
	go func() {
		got, _ := io.ReadAll(far)
		done <- got
	}()
	wantEnd(t, near, payload(300_000))
	if got := <-done; !bytes.Equal(got, payload(300_000)) {
		t.Fatalf("far end got %d bytes", len(got))
	}
}

func bytesBeforeFIN(t *testing.T, open func() (near, far *net.TCPConn)) {
	for _, n := range []int{0, 1, 1448, 64 << 10, 64<<10 + 1, 200_000} {
		near, far := open()
		mustWrite(t, near, payload(n))
		near.Close()
		wantEnd(t, far, payload(n))
	}
}

func bytesBeforeRST(t *testing.T, open func() (near, far *net.TCPConn)) {
	for _, n := range []int{1, 1448, 10_000, 100_000} {
		near, far := open()
		mustWrite(t, near, payload(n))
		reset(t, near)
		wantReset(t, far, payload(n))
	}
}

func resetResets(t *testing.T, open func() (near, far *net.TCPConn)) {
	near, far := open()
	mustWrite(t, near, payload(10))
	wantBytes(t, far, payload(10))
	reset(t, near)
	wantReset(t, far, nil)
}

func resetResetsHalfClosed(t *testing.T, open func() (near, far *net.TCPConn)) {
	near, far := open()
	mustWrite(t, far, payload(10))
	mustCloseWrite(t, far)
	wantEnd(t, near, payload(10))
	mustWrite(t, near, payload(20))
	reset(t, near)
	wantReset(t, far, payload(20))
}

// A reset that follows one's own FIN shows at the other end as EPIPE of a write
// (tcp_reset in Linux's net/ipv4/tcp_input.c, state CLOSE_WAIT).
func resetAfterFIN(t *testing.T, open func() (near, far *net.TCPConn)) {
	near, far := open()
	mustWrite(t, near, payload(10))
	mustCloseWrite(t, near)
	wantEnd(t, far, payload(10))
	reset(t, near)
	until(t, "the far end's writes fail", func() bool {
		_, err := far.Write([]byte{1})
		return errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET)
	})
}

// A close with bytes unread is a reset (tcp_close), and a reset it must stay.
func closeUnread(t *testing.T, open func() (near, far *net.TCPConn)) {
	near, far := open()
	mustWrite(t, far, payload(100))
	until(t, "bytes wait at the near end", func() bool {
		waiting := 0
		control(t, near, func(fd int) (err error) {
			waiting, err = unix.IoctlGetInt(fd, unix.TIOCINQ)
			return err
		})
		return waiting == 100
	})
	near.Close()
	wantReset(t, far, nil)
}

func urgentByte(t *testing.T, open func() (near, far *net.TCPConn)) {
	near, far := open()
	bulk := payload(4 << 20) // lets sluice find out that it is bulk
	go near.Write(bulk)
	wantBytes(t, far, bulk)
	mustWrite(t, near, payload(5000))
	sendUrgent(t, near, '!')
	mustWrite(t, near, payload(6000))
	until(t, "the urgent byte arrives out of band", func() bool {
		var b [1]byte
		n := 0
		control(t, far, func(fd int) error {
			n, _, _ = unix.Recvfrom(fd, b[:], unix.MSG_OOB|unix.MSG_DONTWAIT)
			return nil
		})
		return n == 1 && b[0] == '!'
	})
	wantBytes(t, far, payload(5000))
	wantBytes(t, far, payload(6000))
	mustWrite(t, far, payload(100))
	wantBytes(t, near, payload(100))
	go func() {
		_, _ = near.Write(bulk)
		near.Close()
	}()
	wantEnd(t, far, bulk)
}

// Urgent bytes that follow each other closely merge (RFC 6093), so the reader
// takes them in line, where none may be missing.
func urgentMany(t *testing.T, open func() (near, far *net.TCPConn)) {
	near, far := open()
	control(t, far, func(fd int) error {
		return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_OOBINLINE, 1)
	})
	var want []byte
	for range 200 {
		want = append(append(want, payload(1500)...), '!')
	}
	go func() {
		for range 200 {
			_, _ = near.Write(payload(1500))
			sendUrgent(t, near, '!')
		}
		_ = near.CloseWrite()
	}()
	wantEnd(t, far, want)
	mustWrite(t, far, payload(100))
	far.Close()
	wantEnd(t, near, payload(100))
}

// sendUrgent sends one byte of urgent data, waiting for room.
func sendUrgent(t *testing.T, c *net.TCPConn, b byte) {
	raw, err := c.SyscallConn()
	if err == nil {
		var sendErr error
		err = raw.Write(func(fd uintptr) bool {
			sendErr = unix.Sendto(int(fd), []byte{b}, unix.MSG_OOB|unix.MSG_DONTWAIT, nil)
			return sendErr != unix.EAGAIN
		})
		err = errors.Join(err, sendErr)
	}
	if err != nil {
		t.Errorf("send urgent: %v", err)
	}
}

func TestStreams(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"auto", "copy", "splice"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, setup{flags: []string{"--relay=" + mode}})
			overWays(t, ways(), func(t *testing.T, w way) {
				for _, c := range streamCases {
					t.Run(c.name, func(t *testing.T) {
						t.Run("client", func(t *testing.T) {
							c.run(t, func() (near, far *net.TCPConn) { return g.pair(t, w) })
						})
						t.Run("server", func(t *testing.T) {
							c.run(t, func() (near, far *net.TCPConn) {
								client, server := g.pair(t, w)
								return server, client
							})
						})
					})
				}
			})
		})
	}
}
