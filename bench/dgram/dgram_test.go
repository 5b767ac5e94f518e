//go:build linux

package dgram

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"
	"time"
)

func open(t *testing.T, local string, c Config) Socket {
	t.Helper()
	c.Local, c.Blocking, c.Timeout = netip.MustParseAddrPort(local), true, 5*time.Second
	s, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestRunsKeepTheirBounds(t *testing.T) {
	for _, local := range []string{"127.0.0.1:0", "[::1]:0"} {
		a := open(t, local, Config{BufferSize: 1 << 20})
		b := open(t, local, Config{GRO: true, ToAddress: true, BufferSize: 1 << 20})
		run := bytes.Repeat([]byte("0123456789"), 251) // 2,510 bytes: 1000, 1000, 510
		tx := NewSender(4)
		tx.Add(run, 1000, b.Local(), netip.Addr{})
		tx.Add(run[:7], 0, b.Local(), a.Local().Addr())
		tx.Add(nil, 0, b.Local(), netip.Addr{})
		if n, err := tx.Send(a); n != 3 || err != nil {
			t.Fatalf("sent %d, %v", n, err)
		}
		rx := NewReceiver(8, 1<<16)
		var sizes []int
		var all []byte
		for len(sizes) < 5 {
			n, err := rx.Receive(b)
			if err != nil || n == 0 {
				t.Fatalf("%d messages, %v, after %v", n, err, sizes)
			}
			for i := range n {
				m := rx.Message(i)
				if m.From != a.Local() || m.To != b.Local().Addr() || m.Truncated {
					t.Errorf("%+v", m)
				}
				data := m.Data
				for first := true; first || len(data) > 0; first = false {
					n := len(data)
					if m.Segment > 0 {
						n = min(n, m.Segment)
					}
					sizes, all, data = append(sizes, n), append(all, data[:n]...), data[n:]
				}
			}
		}
		if want := []int{1000, 1000, 510, 7, 0}; !slices.Equal(sizes, want) || !bytes.Equal(all, append(run, run[:7]...)) {
			t.Errorf("%s: datagrams of %v bytes, want %v", local, sizes, want)
		}
	}
}

func TestTruncationIsTold(t *testing.T) {
	a, b := open(t, "127.0.0.1:0", Config{}), open(t, "127.0.0.1:0", Config{})
	tx := NewSender(1)
	tx.Add(make([]byte, 100), 0, b.Local(), netip.Addr{})
	if _, err := tx.Send(a); err != nil {
		t.Fatal(err)
	}
	rx := NewReceiver(1, 60)
	if n, err := rx.Receive(b); n != 1 || err != nil || !rx.Message(0).Truncated {
		t.Errorf("%d, %v, %+v", n, err, rx.Message(0))
	}
}

func TestBatchesAllocateNothing(t *testing.T) {
	a, b := open(t, "127.0.0.1:0", Config{}), open(t, "127.0.0.1:0", Config{GRO: true, ToAddress: true})
	tx, rx, data, to := NewSender(1), NewReceiver(4, 1<<16), make([]byte, 3000), b.Local()
	if n := testing.AllocsPerRun(50, func() {
		tx.Add(data, 1000, to, netip.Addr{})
		_, _ = tx.Send(a)
		n, _ := rx.Receive(b)
		for i := range n {
			_ = rx.Message(i)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
