package mice

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"time"
)

func here(f func() error) error { return f() }

// The mouse gets its answers alone and beside, over both transports and families,
// and the elephants are told to end.
func TestMeasure(t *testing.T) {
	for _, network := range []string{"tcp", "udp"} {
		for i, address := range []string{"127.0.0.1", "::1"} {
			ended := false
			herd := func(ctx context.Context) error {
				<-ctx.Done()
				ended = true
				return nil
			}
			echo := netip.AddrPortFrom(netip.MustParseAddr(address), uint16(29871+i))
			r, err := Measure(t.Context(), Path{Network: network, Echo: echo, Client: here, Server: here}, 100*time.Millisecond, herd)
			if err != nil {
				t.Errorf("%s %s: %v", network, echo, err)
				continue
			}
			if !ended || r.Lost != 0 || r.Alone.Count == 0 || r.Beside.Count == 0 || r.Alone.P50 <= 0 || r.Alone.P50 > r.Alone.Longest {
				t.Errorf("%s %s: elephants ended: %v; %+v", network, echo, ended, r)
			}
		}
	}
}

// A mouse whose echo nobody can reach is an error, and elephants that fail are.
func TestMeasureFails(t *testing.T) {
	path := Path{Network: "tcp", Echo: netip.MustParseAddrPort("192.0.2.1:1"), Client: here, Server: here}
	if _, err := Measure(t.Context(), path, time.Millisecond, nil); err == nil {
		t.Error("an echo at a foreign address passes")
	}
	path.Echo = netip.MustParseAddrPort("127.0.0.1:29873")
	failing := func(context.Context) error { return context.DeadlineExceeded }
	if _, err := Measure(t.Context(), path, time.Millisecond, failing); err == nil {
		t.Error("elephants that fail pass")
	}
}

func TestSumUp(t *testing.T) {
	var all []time.Duration
	for i := range 1000 {
		all = append(all, time.Duration(1000-i))
	}
	want := Latency{Count: 1000, P50: 501, P90: 901, P99: 991, P999: 1000, Longest: 1000}
	if got := sumUp(slices.Clone(all)); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := sumUp(nil); got != (Latency{}) {
		t.Errorf("%+v of nothing", got)
	}
}
