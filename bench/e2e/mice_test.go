//go:build linux

package e2e

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"sluice/bench/mice"
	"sluice/bench/serve"
)

// herd makes elephants on the way to an address of the server.
type herd func(t *testing.T, g *gateway, to netip.AddrPort) func(context.Context) error

func streams(n int, flags ...string) herd {
	return func(_ *testing.T, g *gateway, to netip.AddrPort) func(context.Context) error {
		return mice.Streams(g.Lab, to, n, flags...)
	}
}

func datagrams(n int) herd {
	return func(t *testing.T, g *gateway, to netip.AddrPort) func(context.Context) error {
		var s *serve.Server
		if err := g.Server.Do(func() (err error) {
			s, err = serve.Listen(serve.Options{Listen: []netip.AddrPort{to}})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return mice.Datagrams(g.Lab, to, n)
	}
}

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
		herd                 herd
	}{
		{"copy", "copy", "tcp", way{v6: true}, streams(8)},
		{"auto-down", "auto", "tcp", way{tproxy: true}, streams(8, "--reverse")},
		{"splice-udp", "splice", "udp", way{tproxy: true, v6: true}, streams(1)},
		{"runs", "auto", "tcp", way{tproxy: true}, datagrams(16)},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := startGateway(t, setup{plain: true, flags: []string{"--relay=" + c.relay, "--reactors=1", "--udp-timeout=1s"}})
			g.shared = writeBackFDs
			for try := 1; ; try++ {
				path := mice.Path{Network: c.network, Echo: c.way.dest(2 * try), Client: g.Client.Do, Server: g.Server.Do}
				r, err := mice.Measure(t.Context(), path, each, c.herd(t, g, c.way.dest(2*try+1)))
				if err != nil {
					t.Fatal(err)
				}
				t.Log(r)
				if r.Beside.P90 <= bound+3*r.Alone.P90 {
					return
				}
				if try == tries {
					t.Fatalf("nine exchanges of ten took up to %v beside elephants, %v alone", r.Beside.P90, r.Alone.P90)
				}
			}
		})
	}
}
