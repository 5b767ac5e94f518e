package redir

import (
	"net/netip"
	"testing"

	"sluice/redir/inbound"
	"sluice/redir/outbound"
	"sluice/redir/source"
)

// Whatever the limit, what is promised at once never needs more fds than
// there are.
func TestPlanStaysWithinTheLimit(t *testing.T) {
	for _, limit := range []int{512, 1024, 4096, 20000, 1 << 20} {
		for _, workers := range []int{1, 2, 8} {
			for _, networks := range [][2]bool{{true, false}, {false, true}, {true, true}} {
				o, perFlow := testOptions(), 1
				if workers == 2 {
					o.Outbounds, perFlow = []outbound.Spec{{Kind: outbound.Socks, Tag: "proxy"}}, fdsPerRelayed
				}
				o.Inbounds[0].TCP, o.Inbounds[0].UDP = networks[0], networks[1]
				b, err := plan(&o, limit, workers, lanes(o.Inbounds, workers, limit), 28232)
				if err != nil {
					t.Fatalf("%d fds, %d workers: %v", limit, workers, err)
				}
				if b.outlets != 0 || b.sourced != 0 {
					t.Errorf("%+v has outlets", b)
				}
				need := reservedFDs + fdsPerWorker*workers + b.listeners + fdsPerConn*b.conns + perFlow*b.flows
				if networks[0] {
					need += fdsPerPipe * b.pipes * workers
				}
				if networks[1] {
					need += (b.writeBacks+b.spares*families)*workers + b.ending
				}
				if need > limit {
					t.Errorf("%d fds, %d workers: %+v needs %d", limit, workers, b, need)
				}
				if networks[0] && b.conns < 8 || networks[1] && b.flows < 8 {
					t.Errorf("%d fds, %d workers: %+v leaves too little", limit, workers, b)
				}
			}
		}
	}
}

// Sessions that bear their client's address are bounded by no fds; their outlets
// are, and leave some for sessions with sockets.
func TestPlanWithSources(t *testing.T) {
	of := source.Source{Kind: source.Client}
	for _, limit := range []int{512, 1024, 4096, 20000, 1 << 20} {
		for _, workers := range []int{1, 2, 8} {
			for _, both := range []bool{false, true} {
				for _, tcp := range []bool{false, true} {
					o := testOptions()
					o.UDPSessions = 150_000
					o.Inbounds[0].TCP, o.Inbounds[0].Source = tcp, of
					if both {
						o.Inbounds = append(o.Inbounds, inbound.Spec{Kind: inbound.TProxy, Listen: netip.MustParseAddrPort("0.0.0.0:12347"), UDP: true})
					}
					b, err := plan(&o, limit, workers, lanes(o.Inbounds, workers, limit), 28232)
					if err != nil {
						t.Fatalf("%d fds, %d workers: %v", limit, workers, err)
					}
					need := reservedFDs + fdsPerWorker*workers + b.listeners + fdsPerConn*b.conns + b.flows +
						(b.writeBacks+b.spares*families+b.outlets)*workers + b.ending
					if tcp {
						need += fdsPerPipe * b.pipes * workers
					}
					if need > limit {
						t.Errorf("%d fds, %d workers: %+v needs %d", limit, workers, b, need)
					}
					if b.sourced != o.UDPSessions || b.sessions() != o.UDPSessions || b.flowsBound != "--udp-sessions" {
						t.Errorf("%d fds, %d workers: %+v bounds sessions without fds", limit, workers, b)
					}
					if b.outlets < 1 || b.flows < 2 || limit >= 20000 && b.outlets*workers < 2000 {
						t.Errorf("%d fds, %d workers: %+v leaves too little", limit, workers, b)
					}
					if s := shrink(&o, 200, 150, workers, 1); s.outlets < 1 || s.flows < 1 || s.sourced != o.UDPSessions {
						t.Errorf("%d workers: %+v", workers, s)
					}
				}
			}
		}
	}
}

func TestPlanRefusesAHopelessLimit(t *testing.T) {
	o := testOptions()
	o.Inbounds[0].TCP, o.Inbounds[0].UDP = true, true
	for _, c := range []struct{ limit, workers int }{{256, 2}, {1024, 32}, {4096, 200}} {
		if b, err := plan(&o, c.limit, c.workers, 1, 28232); err == nil {
			t.Errorf("%d fds and %d workers gave %+v", c.limit, c.workers, b)
		}
	}
}

func TestPlanHonoursSmallerBounds(t *testing.T) {
	o := testOptions()
	for _, c := range []struct {
		sessions, limit, ports int
		flows                  int
		bound                  string
	}{
		{20, 20000, 28232, 20, "--udp-sessions"},
		{65536, 1 << 20, 28232, 27350, "ip_local_port_range"},
		{65536, 1 << 20, 64512, 62496, "ip_local_port_range"},
		{65536, 20000, 28232, 5988, "fd_limit"},
	} {
		o.MaxConns, o.UDPSessions = 10, c.sessions
		b, err := plan(&o, c.limit, 2, 1, c.ports)
		if err != nil || b.conns != 10 || b.flows != c.flows || b.flowsBound != c.bound {
			t.Errorf("%+v: %+v, %v", c, b, err)
		}
	}
}

func TestCountPorts(t *testing.T) {
	for _, c := range []struct {
		local, reserved string
		want            int
	}{
		{"32768\t60999\n", "\n", 28232},
		{"32768\t60999\n", "8080,40000-40099,60999,61000-62000\n", 28131},
		{"60000\t60000\n", "", 1},
	} {
		if got, err := countPorts(c.local, c.reserved); err != nil || got != c.want {
			t.Errorf("%q without %q: %d ports, %v; want %d", c.local, c.reserved, got, err, c.want)
		}
	}
	for _, bad := range []string{"", "1", "a b"} {
		if got, err := countPorts(bad, ""); err == nil {
			t.Errorf("%q: %d ports", bad, got)
		}
	}
}
