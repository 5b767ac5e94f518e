//go:build linux

package load

import (
	"bytes"
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/bench/frame"
)

// short is how long the loads of these tests send.
const short = 300 * time.Millisecond

func runLoad(t *testing.T, s Spec) Result {
	t.Helper()
	if s.Duration == 0 {
		s.Duration = short
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	r, err := Run(ctx, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// only says which faults a harm may cause; any other is a false alarm.
func (f Faults) only(allowed Faults) bool {
	clean := func(got, may uint64) bool { return got == 0 || may > 0 }
	return clean(f.Lost, allowed.Lost) && clean(f.Duplicate, allowed.Duplicate) && clean(f.Reordered, allowed.Reordered) &&
		clean(f.Corrupt, allowed.Corrupt) && clean(f.Mixed, allowed.Mixed) && clean(f.WrongSource, allowed.WrongSource) &&
		clean(f.Short, allowed.Short) && clean(f.Errors, allowed.Errors)
}

// A relay that harms one reply in ten is found out, by the right name and no other.
func TestFaultyUDPRelayIsFoundOut(t *testing.T) {
	const tenth = 10
	for name, c := range map[string]struct {
		harm  func(*udpRelay, int, datagram)
		found func(Faults) uint64
		may   Faults // what the harm brings with it
		ok    bool
	}{
		"none": {func(r *udpRelay, n int, d datagram) { r.pass(d) }, func(Faults) uint64 { return 1 }, Faults{}, true},
		"corrupts": {func(r *udpRelay, n int, d datagram) {
			if n%tenth == 0 {
				d.data[n%len(d.data)] ^= 1 << (n % 8)
			}
			r.pass(d)
		}, func(f Faults) uint64 { return f.Corrupt }, Faults{Corrupt: 1, Lost: 1}, false},
		"cuts": {func(r *udpRelay, n int, d datagram) {
			if n%tenth == 0 {
				d.data = d.data[:n%len(d.data)]
			}
			r.pass(d)
		}, func(f Faults) uint64 { return f.Corrupt }, Faults{Corrupt: 1, Lost: 1}, false},
		"drops": {func(r *udpRelay, n int, d datagram) {
			if n%tenth != 0 {
				r.pass(d)
			}
		}, func(f Faults) uint64 { return f.Lost }, Faults{Lost: 1}, true},
		"duplicates": {func(r *udpRelay, n int, d datagram) {
			r.pass(d)
			if n%tenth == 0 {
				r.pass(d)
			}
		}, func(f Faults) uint64 { return f.Duplicate }, Faults{Duplicate: 1}, true},
		"reorders": {func(r *udpRelay, n int, d datagram) {
			if n%tenth == 0 {
				r.held = append(r.held, d)
				return
			}
			r.pass(d)
			for i, h := range r.held {
				if h.client == d.client {
					r.pass(h)
					r.held = append(r.held[:i], r.held[i+1:]...)
					break
				}
			}
		}, func(f Faults) uint64 { return f.Reordered }, Faults{Reordered: 1, Lost: 1}, true},
		"mixes": {func(r *udpRelay, n int, d datagram) {
			if n%tenth == 0 && len(r.held) > 0 && r.held[0].client != d.client {
				d.client = r.held[0].client
			}
			r.held = append(r.held[:0], d)
			r.pass(d)
		}, func(f Faults) uint64 { return f.Mixed }, Faults{Mixed: 1, Lost: 1}, false},
		"replies from elsewhere": {func(r *udpRelay, n int, d datagram) {
			if n%tenth == 0 {
				_, _ = r.other.WriteToUDPAddrPort(d.data, d.client)
				return
			}
			r.pass(d)
		}, func(f Faults) uint64 { return f.WrongSource }, Faults{WrongSource: 1, Lost: 1}, false},
	} {
		t.Run(name, func(t *testing.T) {
			relay := relayUDP(t, server(t), c.harm)
			timeout := 5 * time.Second // longer than a busy machine stalls
			if c.may.Lost > 0 {
				timeout = 500 * time.Millisecond
			}
			res := runLoad(t, Spec{Test: UDPRR, Target: relay, Flows: 4, Window: 8, Size: 200, Timeout: timeout})
			if c.found(res.Faults) == 0 || !res.Faults.only(c.may) || res.OK != c.ok || res.Units == 0 {
				t.Errorf("ok %v, %d of %d came through, %+v", res.OK, res.Units, res.Sent, res.Faults)
			}
		})
	}
}

// Loss on a one-way stream is the difference to what the server reports.
func TestLossOfAStreamIsExact(t *testing.T) {
	const rate = 2000
	up := runLoad(t, Spec{Test: UDPStream, Target: server(t), Rate: rate})
	if up.Faults != (Faults{}) || up.Units != up.Sent || !up.OK {
		t.Errorf("up: %d of %d, %+v", up.Units, up.Sent, up.Faults)
	}
	down := runLoad(t, Spec{Test: UDPStream, Target: server(t), Rate: rate, Direction: Down})
	if down.Faults != (Faults{}) || down.Units != down.Sent || down.Units == 0 {
		t.Errorf("down: %d of %d, %+v", down.Units, down.Sent, down.Faults)
	}
	var dropped, passed atomic.Uint64 // the relay's own socket may overflow too
	lossy := relayUDP(t, server(t), func(r *udpRelay, n int, d datagram) {
		if h, err := frame.Parse(d.data); err == nil && h.Kind == frame.Data {
			if h.Seq%7 == 3 {
				dropped.Add(1)
				return
			}
			passed.Add(1)
		}
		r.pass(d)
	})
	res := runLoad(t, Spec{Test: UDPStream, Target: lossy, Rate: rate, Direction: Down})
	if res.Faults.Lost != res.Sent-passed.Load() || dropped.Load() == 0 || !res.Faults.only(Faults{Lost: 1}) {
		t.Errorf("passed %d of %d, found %+v", passed.Load(), res.Sent, res.Faults)
	}
}

// A relay that spoils TCP is found out.
func TestFaultyTCPRelayIsFoundOut(t *testing.T) {
	plain := func(_ int, client, server *net.TCPConn) { _, _ = io.Copy(client, server) }
	flip := func(_ int, client, server *net.TCPConn) {
		buf := make([]byte, 32<<10)
		for total := 0; ; {
			n, err := server.Read(buf)
			if total < 5000 && total+n >= 5000 {
				buf[5000-total-1] ^= 1
			}
			total += n
			if _, werr := client.Write(buf[:n]); err != nil || werr != nil {
				return
			}
		}
	}
	cut := func(_ int, client, server *net.TCPConn) { _, _ = io.CopyN(client, server, 20_000) }
	reset := func(n int, client, server *net.TCPConn) { cut(n, client, server); _ = client.SetLinger(0) }
	var mu sync.Mutex
	var first net.Conn
	cross := func(_ int, client, server *net.TCPConn) { // two connections get each other's bytes
		mu.Lock()
		to := net.Conn(client)
		if first == nil {
			first = client
		} else {
			to = first
		}
		mu.Unlock()
		_, _ = io.Copy(to, server)
	}
	for _, c := range []struct {
		name  string
		back  func(int, *net.TCPConn, *net.TCPConn)
		spec  Spec
		found func(Faults) bool
		ok    bool
	}{
		{"plain rr", plain, Spec{Test: TCPRR}, func(f Faults) bool { return f == Faults{} }, true},
		{"plain crr", plain, Spec{Test: TCPCRR}, func(f Faults) bool { return f == Faults{} }, true},
		{"plain idle", plain, Spec{Test: TCPIdle, Flows: 50}, func(f Faults) bool { return f == Faults{} }, true},
		{"plain up", plain, Spec{Test: TCPStream}, func(f Faults) bool { return f == Faults{} }, true},
		{"plain down", plain, Spec{Test: TCPStream, Direction: Down}, func(f Faults) bool { return f == Faults{} }, true},
		{"plain both", plain, Spec{Test: TCPStream, Direction: Both}, func(f Faults) bool { return f == Faults{} }, true},
		{"flip rr", flip, Spec{Test: TCPRR, Flows: 2}, func(f Faults) bool { return f.Corrupt > 0 }, false},
		{"flip down", flip, Spec{Test: TCPStream, Direction: Down}, func(f Faults) bool { return f.Corrupt > 0 }, false},
		{"flip both", flip, Spec{Test: TCPStream, Direction: Both}, func(f Faults) bool { return f.Corrupt > 0 }, false},
		{"cut down", cut, Spec{Test: TCPStream, Direction: Down}, func(f Faults) bool { return f.Errors > 0 }, true},
		{"cut both", cut, Spec{Test: TCPStream, Direction: Both}, func(f Faults) bool { return f.Short > 0 }, false},
		{"reset rr", reset, Spec{Test: TCPRR, Flows: 2}, func(f Faults) bool { return f.Errors > 0 }, true},
		{"cross rr", cross, Spec{Test: TCPRR, Flows: 2}, func(f Faults) bool { return f.Mixed > 0 }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.spec.Target = relayTCP(t, server(t), c.back)
			c.spec.Timeout = 2 * time.Second
			res := runLoad(t, c.spec)
			if !c.found(res.Faults) || res.OK != c.ok {
				t.Errorf("ok %v, %d of %d, %+v %v", res.OK, res.Units, res.Sent, res.Faults, res.Failures)
			}
		})
	}
}

// A server that nobody runs gives errors, no result, and no hang.
func TestNobodyThere(t *testing.T) {
	gone := listenUDP(t)
	target := gone.LocalAddr().(*net.UDPAddr).AddrPort()
	gone.Close()
	for _, test := range []Test{TCPStream, TCPRR, TCPCRR, TCPIdle, UDPRR, UDPStream, UDPChurn, UDPFlood} {
		res := runLoad(t, Spec{Test: test, Target: target, Flows: 2, Timeout: 50 * time.Millisecond, Duration: 100 * time.Millisecond})
		if res.OK || res.Units != 0 || res.Faults.Errors+res.Faults.Lost == 0 {
			t.Errorf("%s: ok %v, %d units, %+v", test, res.OK, res.Units, res.Faults)
		}
	}
}

// A closed loop hides a server's pause; the open loop shows it to all that was due.
func TestOpenLoopOmitsNothing(t *testing.T) {
	const pause = 200 * time.Millisecond
	stall := func(_ int, client, server *net.TCPConn) {
		var total int64
		for {
			n, err := io.CopyN(client, server, 200*128)
			if total += n; err != nil {
				return
			}
			if total == 200*128 {
				<-time.After(pause)
			}
		}
	}
	res := runLoad(t, Spec{Test: TCPRR, Target: relayTCP(t, server(t), stall), Flows: 1, Reply: 128, Rate: 1000, Duration: time.Second})
	// Of 1,000 requests some 200 were due during the pause: the tenth that waited
	// longest waited half of it or more.
	if res.Latency == nil || res.Latency.P90US < float64(pause.Microseconds())/4 {
		t.Errorf("p90 %v us: the pause of %v is hidden", res.Latency.P90US, pause)
	}
	if res.Units < 900 {
		t.Errorf("%d of 1000 came through, %+v", res.Units, res.Faults)
	}
}

func TestTextNamesEveryFault(t *testing.T) {
	var out bytes.Buffer
	r := Result{Spec: Spec{Test: UDPRR}, Unit: "datagram", Sent: 100, Faults: Faults{1, 2, 3, 4, 5, 6, 7, 8, "boom"}, Failures: []string{"why"}}
	if err := r.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"lost: 1", "duplicate: 2", "reordered: 3", "corrupt: 4", "mixed: 5", "wrong source: 6",
		"bytes short: 7", "errors: 8", "boom", "FAILED: why"} {
		if !bytes.Contains(out.Bytes(), []byte(want)) {
			t.Errorf("%q is missing:\n%s", want, &out)
		}
	}
}
