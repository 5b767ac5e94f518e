package outbound

import (
	"context"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sluice/redir/resolve"
)

// testProxy is a SOCKS5 server without users that answers what it is asked itself,
// as a web server would.
type testProxy struct {
	net.Listener
	asked atomic.Int32
	delay time.Duration
	code  byte // of its reply
}

func newTestProxy(t *testing.T, address string, delay time.Duration, code byte) *testProxy {
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	p := &testProxy{Listener: l, delay: delay, code: code}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(conn)
		}
	}()
	return p
}

func (p *testProxy) serve(conn net.Conn) {
	defer conn.Close()
	greeting, request := make([]byte, 3), make([]byte, 4+1+len("test.example")+2)
	if _, err := io.ReadFull(conn, greeting); err != nil {
		return
	}
	_, _ = conn.Write([]byte{5, 0})
	if _, err := io.ReadFull(conn, request); err != nil || !strings.Contains(string(request), "test.example") {
		return
	}
	time.Sleep(p.delay)
	_, _ = conn.Write([]byte{5, p.code, 0, 1, 0, 0, 0, 0, 0, 0})
	asked := make([]byte, 4)
	if _, err := io.ReadFull(conn, asked); err == nil && string(asked) == "GET " {
		p.asked.Add(1)
		_, _ = conn.Write([]byte("HTTP/1.1 204 No Content\r\n\r\n"))
		_, _ = io.Copy(io.Discard, conn)
	}
}

func (p *testProxy) at(tag string) Spec {
	return proxy(tag, func(s *Spec) {
		at := netip.MustParseAddrPort(p.Addr().String())
		s.Server = resolve.Target{Host: at.Addr().String(), Port: at.Port()}
	})
}

func testDialer() Dialer {
	began := time.Now()
	return Dialer{
		Dial: func(ctx context.Context, _ *Outbound, to netip.AddrPort) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", to.String())
		},
		Lookup: func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		},
		Now: func() int64 { return int64(time.Since(began)) },
	}
}

func TestMeasure(t *testing.T) {
	fast, slow := newTestProxy(t, "127.0.0.1:0", 0, 0), newTestProxy(t, "[::1]:0", 50*time.Millisecond, 0)
	refuses := newTestProxy(t, "127.0.0.1:0", 0, 4)
	gone := newTestProxy(t, "127.0.0.1:0", 0, 0)
	gone.Close()
	breaks, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer breaks.Close()
	go func() {
		for {
			conn, err := breaks.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	broken := (&testProxy{Listener: breaks}).at("broken")
	set := opened(t, nil, fast.at("fast"), slow.at("slow"), refuses.at("refuses"), gone.at("gone"), broken,
		Spec{Kind: Direct, Tag: "direct"}, group("group", "slow", "fast"))
	d := testDialer()
	test, err := ParseTest("http://test.example/")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for _, c := range []struct {
		tag         string
		least       time.Duration
		works, down bool
	}{
		{"fast", 0, true, false}, {"slow", slow.delay, true, false}, {"group", slow.delay, true, false},
		{"refuses", 0, false, false}, {"gone", 0, false, true}, {"broken", 0, false, true},
	} {
		o := set.Tagged(c.tag)
		for range failuresDown {
			took, err := d.measure(ctx, o, test)
			if (err == nil) != c.works || c.works && took < c.least || !c.works && took != dead {
				t.Errorf("%s: %v, %v", c.tag, took, err)
			}
		}
		if o.IsDown() != c.down {
			t.Errorf("%s: down %v", c.tag, o.IsDown())
		}
	}
	test.Target.Port = netip.MustParseAddrPort(fast.Addr().String()).Port()
	test.Request = ""
	if _, err := d.measure(ctx, set.Tagged("direct"), test); err != nil {
		t.Error(err)
	}
}

// TestWatcher has a group turn to another member when the one that it takes is out
// of reach, and back where that is faster by much.
func TestWatcher(t *testing.T) {
	first, second := newTestProxy(t, "127.0.0.1:0", 0, 0), newTestProxy(t, "127.0.0.1:0", 30*time.Millisecond, 0)
	g := group("g", "second", "first")
	g.Test, g.Interval, g.Tolerance = "http://test.example/", time.Second, 5*time.Millisecond
	set := opened(t, nil, first.at("first"), second.at("second"), g)
	chosen := make(chan string, 10)
	w := NewWatcher(testDialer(), func(group, member *Outbound, _ time.Duration) { chosen <- group.Tag + " " + member.Tag })
	defer w.Close()
	w.Keep(set)
	w.Keep(set)
	await := func(want string) {
		t.Helper()
		select {
		case got := <-chosen:
			if got != want {
				t.Fatalf("%s, want %s", got, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("waited for %s", want)
		}
	}
	await("g first")
	first.Close()
	await("g second")
	again := newTestProxy(t, first.Addr().String(), 0, 0)
	await("g first")
	if again.asked.Load() == 0 {
		t.Error("it was not asked")
	}
	w.Keep(opened(t, nil))
	if len(w.groups) != 0 {
		t.Error("a group that is gone is watched")
	}
}

func TestRank(t *testing.T) {
	ms := time.Millisecond
	m := newMembers(&Outbound{Spec: group("g", "a", "b", "c")}, nil)
	for _, c := range []struct {
		delays [3]time.Duration
		want   [3]int
	}{
		{[3]time.Duration{10 * ms, 9 * ms, dead}, [3]int{0, 1, 2}},
		{[3]time.Duration{70 * ms, 9 * ms, dead}, [3]int{1, 0, 2}},
		{[3]time.Duration{10 * ms, 59 * ms, 1 * ms}, [3]int{2, 0, 1}},
		{[3]time.Duration{dead, dead, dead}, [3]int{2, 0, 1}},
		{[3]time.Duration{dead, 20 * ms, dead}, [3]int{1, 2, 0}},
	} {
		m.rank(c.delays[:], DefaultTolerance)
		if got := [3]int(*m.order.Load()); got != c.want {
			t.Errorf("%v: %v, want %v", c.delays, got, c.want)
		}
	}
}
