//go:build linux

package serve_test

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"sluice/bench/frame"
	"sluice/bench/serve"
)

// patience bounds every wait of these tests.
const patience = 10 * time.Second

func start(t *testing.T, addr string) *serve.Server {
	t.Helper()
	s, err := serve.Listen(serve.Options{Listen: []netip.AddrPort{netip.MustParseAddrPort(addr)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func dial(t *testing.T, s *serve.Server) *net.TCPConn {
	t.Helper()
	conn, err := net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(s.Addrs[0]))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return conn
}

// exchange sends everything and a FIN, and returns everything up to the server's.
func exchange(t *testing.T, conn *net.TCPConn, send []byte) []byte {
	t.Helper()
	go func() {
		_, _ = conn.Write(send) // what is missing shows in what comes back
		_ = conn.CloseWrite()
	}()
	got, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// requests are n requests for replies of the given size, from seq on.
func requests(n, reply int, seq uint64) []byte {
	slot := frame.NewSlot(make([]byte, 100), 1)
	var b []byte
	for range n {
		b = append(b, slot.Put(frame.Header{Kind: frame.Request, Reply: uint32(reply), Flow: 7, Seq: seq})...)
		seq++
	}
	return b
}

// verify reads a reply of each seq from seq on, and then the end.
func verify(t *testing.T, stream []byte, n, size int, seq uint64) {
	t.Helper()
	r := frame.NewReader(bytes.NewReader(stream), 1<<10)
	for range n {
		h, b, err := r.Next()
		if err != nil || h.Kind != frame.Response || h.Seq != seq || h.Flow != 7 || len(b) != size {
			t.Fatalf("reply %d: %+v, %d bytes, %v", seq, h, len(b), err)
		}
		seq++
	}
	if _, _, err := r.Next(); err != io.EOF {
		t.Errorf("after the last reply: %v", err)
	}
}

// The server's half stays open after the client's FIN until all is said, whatever
// the first frame asked for.
func TestHalfClose(t *testing.T) {
	s := start(t, "127.0.0.1:0")
	long := bytes.Repeat([]byte("no frame. "), 1<<18)
	block, _ := frame.NewBlock(1<<20, 1000).Put(frame.Header{Kind: frame.Echo, Flow: 7})
	for _, echo := range [][]byte{nil, []byte("hi"), []byte("SLB"), long, block} {
		if got := exchange(t, dial(t, s), echo); !bytes.Equal(got, echo) {
			t.Errorf("echo of %d bytes: %d", len(echo), len(got))
		}
	}
	sink, n := frame.NewBlock(1<<20, 1000).Put(frame.Header{Kind: frame.Sink, Flow: 7})
	if got := report(t, exchange(t, dial(t, s), sink)); got.Frames != uint64(n) || got.Bytes != uint64(len(sink)) || got.Corrupt+got.Mixed+got.Reordered > 0 {
		t.Errorf("sink of %d frames: %+v", n, got)
	}
	source := frame.New(frame.Header{Kind: frame.Source, Flow: 7}, frame.SourceSpec{Size: 1000, Duration: time.Minute}.Append(nil))
	down := exchange(t, dial(t, s), source) // with the FIN at once
	if got := report(t, down); got.Bytes != uint64(len(down)-frame.StatsSize) {
		t.Errorf("source of %d bytes: %+v", len(down), got)
	}
	verify(t, exchange(t, dial(t, s), requests(100, 60<<10, 0)), 100, 60<<10, 0)
	if got := exchange(t, dial(t, s), requests(1, 100, 0)[:60]); len(got) > 0 {
		t.Errorf("part of a request: %d bytes", len(got))
	}
}

// report reads the frame at the end of a stream.
func report(t *testing.T, stream []byte) frame.Stats {
	t.Helper()
	b := stream[max(0, len(stream)-frame.StatsSize):]
	if h, err := frame.Parse(b); err != nil || h.Kind != frame.Report || h.Flow != 7 {
		t.Fatalf("no report at the end: %+v, %v", h, err)
	}
	st, err := frame.ParseStats(b[frame.HeaderSize:])
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain")
		}
	}
}
