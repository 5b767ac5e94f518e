//go:build linux

package e2e

import (
	"encoding/json"
	"strconv"
	"testing"
	"time"
)

// iperfReport is the part of iperf3's --json that matters here.
type iperfReport struct {
	Error string
	End   struct {
		Sent     iperfSum `json:"sum_sent"`
		Received iperfSum `json:"sum_received"`
		Sum      iperfSum // of UDP
		Reverse  iperfSum `json:"sum_received_bidir_reverse"`
	}
}

type iperfSum struct {
	Bytes       float64
	Packets     float64
	LostPercent float64 `json:"lost_percent"`
}

// iperf runs one measurement, against a server of its own that ends with the
// test: between two measurements a server's listener is another one, and what
// waits in the first one's queue is reset.
func (g *gateway) iperf(t *testing.T, program string, w way, flags ...string) iperfReport {
	t.Helper()
	port := strconv.Itoa(int(w.port(1)))
	g.serve(t, []uint16{w.port(1)}, program, "--server", "--port", port)
	args := append([]string{"--client", w.server().String(), "--port", port, "--json", "--connect-timeout", "3000"}, flags...)
	out := g.runClient(t, 20*time.Second, program, args...)
	var r iperfReport
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("iperf3: %v\n%s", err, out)
	}
	if r.Error != "" {
		t.Fatalf("iperf3: %s", r.Error)
	}
	return r
}

func TestIPerfTCP(t *testing.T) {
	iperf := needProgram(t, "iperf3", "iperf3")
	g := startGateway(t, setup{plain: true})
	overWays(t, ways(), func(t *testing.T, w way) {
		for name, flags := range map[string][]string{"forward": nil, "reverse": {"--reverse"}, "parallel": {"--parallel", "8"}} {
			t.Run(name, func(t *testing.T) {
				if r := g.iperf(t, iperf, w, append(flags, "--bytes", "100M")...); r.End.Received.Bytes < leastReceived {
					t.Errorf("%+v", r.End)
				}
			})
		}
	})
}

// leastReceived is in bytes: of a hundred million many are still on their way
// when iperf3 has sent the last.
const leastReceived = 10 << 20

// TestIPerfTCPBothWays has one reactor: iperf3 tells the two connections of
// --bidir apart by the order in which they reach the server, which several
// reactors do not keep, and then sends both ways on one and waits for ever.
func TestIPerfTCPBothWays(t *testing.T) {
	iperf := needProgram(t, "iperf3", "iperf3")
	g := startGateway(t, setup{plain: true, flags: []string{"--reactors=1"}})
	overWays(t, ways(), func(t *testing.T, w way) {
		r := g.iperf(t, iperf, w, "--bidir", "--bytes", "100M")
		if r.End.Received.Bytes < leastReceived || r.End.Reverse.Bytes < leastReceived {
			t.Errorf("%+v", r.End)
		}
	})
}

func TestIPerfUDP(t *testing.T) {
	iperf := needProgram(t, "iperf3", "iperf3")
	g := startGateway(t, setup{plain: true, flags: []string{"--udp-timeout=3s"}})
	g.shared = writeBackFDs
	overWays(t, udpWays(), func(t *testing.T, w way) {
		for name, flags := range map[string][]string{
			"forward": nil, "reverse": {"--reverse"}, "parallel": {"--parallel", "4"}, "tiny": {"--length", "64"},
		} {
			t.Run(name, func(t *testing.T) {
				// iperf3 fails where it gets less than --window: twice the default of net.core.rmem_max and wmem_max is 416 KiB.
				r := g.iperf(t, iperf, w, append(flags, "--udp", "--bitrate", "10M", "--window", "400K", "--time", "1")...)
				if r.End.Sum.Packets < 500 || r.End.Sum.LostPercent > 5 {
					t.Errorf("%+v", r.End.Sum)
				}
			})
		}
	})
	if c := g.counters(t); c.number("dropped_send")+c.number("dropped_write_back")+c.number("dropped_truncated") > 0 {
		t.Errorf("sluice dropped datagrams: %v", c)
	}
}
