//go:build linux

package e2e

import (
	"testing"
	"time"

	"sluice/bench/mice"
)

// TestMiceBesideElephants asserts that a small exchange is not kept waiting by bulk
// that takes all that a reactor can give. The bound is for machines that have much
// else to do; a turn that grows with the edges of the bulk is far beyond it.
func TestMiceBesideElephants(t *testing.T) {
	needProgram(t, "iperf3", "iperf3")
	const (
		each  = time.Second
		tries = 3                     // on a machine that was busy with something else
		bound = 30 * time.Millisecond // of nine exchanges in ten, each of which waits for two turns
	)
	for _, c := range []struct {
		name, relay, network string
		way                  way
		elephants            int
		flags                []string // of iperf3
	}{
		{"copy", "copy", "tcp", way{}, 1, nil},
		{"copy-8", "copy", "tcp", way{tproxy: true, v6: true}, 8, nil},
		{"auto-8-down", "auto", "tcp", way{tproxy: true}, 8, []string{"--reverse"}},
		{"splice-udp", "splice", "udp", way{tproxy: true}, 1, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := startGateway(t, setup{plain: true, flags: []string{"--relay=" + c.relay, "--reactors=1", "--udp-timeout=1s"}})
			g.shared = writeBackFDs
			for try := 1; ; try++ {
				path := mice.Path{Network: c.network, Echo: c.way.dest(2 * try), Client: g.Client.Do, Server: g.Server.Do}
				r, err := mice.Measure(t.Context(), path, each, mice.Streams(g.Lab, c.way.dest(2*try+1), c.elephants, c.flags...))
				if err != nil {
					t.Fatal(err)
				}
				t.Log(r)
				if r.Beside.P90 <= bound+3*r.Alone.P90 {
					return
				}
				if try == tries {
					t.Fatalf("nine exchanges of ten took %v beside %d elephants, %v alone", r.Beside.P90, c.elephants, r.Alone.P90)
				}
			}
		})
	}
}
