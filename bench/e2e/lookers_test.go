//go:build linux

package e2e

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/bench/lab"
)

// What TestLookersAtCrowd has at once: within 20,000 fds, of which a connection takes
// two, here too.
const (
	lookedConns    = 7600
	lookedSessions = 600
)

// Rounds of TestLookersAtCrowd, each with lookers and without.
const (
	lookRounds = 3
	lookRound  = 1200 * time.Millisecond
	// lookersMost is how many times longer the 99th percentile of what passes may take
	// with lookers, in one round at least: others use the machine too. The aim is twice.
	lookersMost = 3
)

// TestLookersAtCrowd has a stream of samples, as a page has it, flows --watch, and a
// scrape each second beside as many connections and sessions as fit into 20,000 fds.
// No flow is missing in a listing, or there twice; what passes meanwhile hardly
// notices; and what the lookers took is given back when they go.
func TestLookersAtCrowd(t *testing.T) {
	s, w := controlled(t, setup{plain: true, divert: divertAll, under: []string{needProgram(t, "prlimit", "util-linux"), "--nofile=20000:20000"},
		listen: []string{fmt.Sprintf("--tproxy=:%d", tproxyPort)},
		flags:  []string{fmt.Sprintf("--udp-sessions=%d", lookedSessions), "--udp-timeout=5m", "--client-exempt=" + lab.ClientNet4 + "," + lab.ClientNet6}})
	g := startGateway(t, s)
	g.shared = writeBackFDs
	clients := g.lookedAt(t)
	want := append(g.askFrom(t), clients...)
	slices.Sort(want)
	probe := g.startProbe(t)
	fds, memory := g.FDs(), g.Memory()
	var alone, watched []time.Duration
	for i := range lookRounds {
		alone = append(alone, probe.p99(t))
		stop := w.look(t)
		watched = append(watched, probe.p99(t))
		if i == 0 {
			w.assertComplete(t, want)
		}
		stop()
	}
	during := g.Memory()
	until(t, "fds of lookers are given back", func() bool { return g.FDs() <= fds })
	t.Logf("99th percentile alone %v, with lookers %v; resident %d MiB before, %d after the last look", alone, watched, memory>>20, during>>20)
	ratios := make([]float64, lookRounds)
	for i := range ratios {
		ratios[i] = float64(watched[i]) / float64(alone[i])
	}
	t.Logf("medians %v and %v, ratios by round %.2f", median(alone), median(watched), ratios)
	if best := slices.Min(ratios); best > lookersMost {
		t.Errorf("lookers make the 99th percentile %.1f times as long, in the best of %d rounds", best, lookRounds)
	}
	const room = 48 << 20
	if during > memory+room {
		t.Errorf("%d bytes resident, %d before", during, memory)
	}
	if n := w.end(t, url.Values{"all": {"true"}}); n < len(want) {
		t.Errorf("%d flows were ended, of %d", n, len(want))
	}
}

func median(all []time.Duration) time.Duration {
	all = slices.Sorted(slices.Values(all))
	return all[len(all)/2]
}

// lookedAt opens the connections, and returns whose they are.
func (g *gateway) lookedAt(t *testing.T) (clients []string) {
	for _, w := range udpWays() {
		echoTCP(t, g.Server, w.dest(0))
	}
	conns := make([]*net.TCPConn, lookedConns)
	errs := make([]error, dialers)
	var all sync.WaitGroup
	for d := range dialers {
		all.Go(func() {
			errs[d] = g.Client.Do(func() (err error) {
				for i := d; i < lookedConns && err == nil; i += dialers {
					w := udpWays()[i%2]
					conns[i], err = connect(netip.AddrPortFrom(w.anyClient(i%500), 0), w.dest(0))
				}
				return err
			})
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, c := range conns {
			c.Close()
		}
	})
	for _, c := range conns {
		clients = append(clients, "tcp "+c.LocalAddr().String())
	}
	return clients
}

// askFrom opens the sessions, each of another client with one port, and returns whose
// they are.
func (g *gateway) askFrom(t *testing.T) (clients []string) {
	for _, w := range udpWays() {
		server := startEcho(t, g.Server, w.dest(1))
		socket := g.udpClientAt(t, netip.AddrPortFrom(w.pick("0.0.0.0", "::"), 4000))
		for i := range lookedSessions / 2 {
			question := binary.BigEndian.AppendUint32(nil, uint32(i))
			if _, _, err := socket.WriteMsgUDPAddrPort(question, packetInfo(w.anyClient(i)), server.at); err != nil {
				t.Fatal(err)
			}
			if _, err := next(socket, patience); err != nil {
				t.Fatal(err)
			}
			clients = append(clients, "udp "+netip.AddrPortFrom(w.anyClient(i), 4000).String())
		}
	}
	return clients
}

// assertComplete lists all flows, page by page: each there is once.
func (w *window) assertComplete(t *testing.T, want []string) {
	t.Helper()
	begun := time.Now()
	all := w.flows(t, url.Values{"limit": {"1000"}, "port": {"21000,21001"}})
	took := time.Since(begun)
	var got []string
	for _, f := range all {
		got = append(got, f.Network+" "+f.Client)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%d flows are listed, %d of them distinct, want %d", len(got), len(slices.Compact(slices.Clone(got))), len(want))
	}
	t.Logf("%d flows were listed within %v", len(all), took.Round(time.Millisecond))
}

// look begins to look, in all ways at once, until the function that it returns has
// ended it.
func (w *window) look(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var samples, scrapes atomic.Int64
	all.Go(func() {
		_ = w.events(ctx, url.Values{"flows": {"50"}, "sort": {"rate"}}, func(s sample) bool {
			if samples.Add(1); s.Total < lookedConns+lookedSessions || len(s.Flows) != 50 {
				t.Errorf("a sample of %d flows shows %d", s.Total, len(s.Flows))
			}
			return true
		})
	})
	watch := exec.CommandContext(ctx, os.Getenv(plainEnv), "flows", "--watch", "--control="+w.path)
	said := new(journal)
	watch.Stdout, watch.Stderr = said, said
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	all.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for ; ctx.Err() == nil; scrapes.Add(1) {
			var text string
			if _, err := w.call(ctx, "GET", "/metrics", nil, &text); err != nil && ctx.Err() == nil {
				t.Errorf("scrape: %v", err)
			}
			select {
			case <-ctx.Done():
			case <-tick.C:
			}
		}
	})
	until(t, "all look", func() bool { return samples.Load() > 1 && scrapes.Load() > 0 && said.Len() > 1 })
	return func() {
		cancel()
		all.Wait()
		_ = watch.Wait()
		w.http.CloseIdleConnections()
	}
}

// probe is traffic that takes its time.
type probe struct{ conns []*net.TCPConn }

// startProbe opens connections of its own.
func (g *gateway) startProbe(t *testing.T) *probe {
	p := new(probe)
	for i := range 8 {
		at := udpWays()[i%2].dest(2)
		if i < 2 {
			echoTCP(t, g.Server, at)
		}
		p.conns = append(p.conns, dialTCP(t, g.Client, at))
	}
	return p
}

// p99 is how long 99 in 100 of its exchanges take at most, at an easy pace.
func (p *probe) p99(t *testing.T) time.Duration {
	t.Helper()
	var mu sync.Mutex
	var times []time.Duration
	var all sync.WaitGroup
	for _, c := range p.conns {
		_ = c.SetDeadline(time.Now().Add(patience))
		all.Go(func() {
			tick := time.NewTicker(2 * time.Millisecond)
			defer tick.Stop()
			for end := time.Now().Add(lookRound); time.Now().Before(end); <-tick.C {
				begun := time.Now()
				if err := exchange(c, "how long does it take?"); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				times = append(times, time.Since(begun))
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if len(times) < 100 {
		t.Fatalf("%d exchanges", len(times))
	}
	slices.Sort(times)
	return times[len(times)*99/100]
}

// packetInfo is the control message that names a source (ip(7) IP_PKTINFO,
// ipv6(7) IPV6_PKTINFO).
func packetInfo(source netip.Addr) []byte {
	if source.Is4() {
		return unix.PktInfo4(&unix.Inet4Pktinfo{Spec_dst: source.As4()})
	}
	return unix.PktInfo6(&unix.Inet6Pktinfo{Addr: source.As16()})
}
