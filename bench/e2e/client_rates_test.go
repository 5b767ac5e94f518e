//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// upRate and downRate are in bytes a second, of each client.
	upRate   = 2 << 20
	downRate = 3 << 20
	// rateTolerance is how far off what arrives may be, in percent.
	rateTolerance = 5
	// rateSettles is how long a sender may live on what its sockets hold and on a
	// burst, and rateWindow how long what arrives after that is measured.
	rateSettles = 700 * time.Millisecond
	rateWindow  = 1500 * time.Millisecond
	rateWindows = 5
)

// hose is traffic of clients in one direction, as much as goes, until the test ends:
// what each of its streams has brought.
type hose struct {
	arrived []*atomic.Int64 // bytes
}

func newHose(streams int) *hose {
	h := &hose{}
	for range streams {
		h.arrived = append(h.arrived, new(atomic.Int64))
	}
	return h
}

// rate is what arrives in rateWindow, in bytes a second, and the least and the most of
// a stream.
func (h *hose) rate() (rate, least, most float64) {
	before := make([]int64, len(h.arrived))
	for i, n := range h.arrived {
		before[i] = n.Load()
	}
	start := time.Now()
	pass(rateWindow)
	took := time.Since(start).Seconds()
	for i, n := range h.arrived {
		each := float64(n.Load()-before[i]) / took
		rate += each
		if most = max(most, each); i == 0 || each < least {
			least = each
		}
	}
	return rate, least, most
}

// wants asserts what arrives, in bytes a second, and that streams have equal shares.
// One window in rateWindows shows it: others may tell more of who else has the CPU.
func (h *hose) wants(t *testing.T, want float64) {
	t.Helper()
	pass(rateSettles)
	var seen []string
	for range rateWindows {
		rate, least, most := h.rate()
		off, mean := 100*(rate-want)/want, rate/float64(len(h.arrived))
		if off >= -rateTolerance && off <= rateTolerance && least >= 0.7*mean && most <= 1.3*mean {
			return
		}
		seen = append(seen, fmt.Sprintf("%.0f (%+.1f %%), by streams %.0f to %.0f", rate, off, least, most))
	}
	t.Errorf("bytes a second, want %.0f: %s", want, strings.Join(seen, "; "))
}

// pour writes without end.
func pour(c net.Conn) {
	data := payload(64 << 10)
	for {
		if _, err := c.Write(data); err != nil {
			return
		}
	}
}

// catch reads without end.
func catch(c net.Conn, arrived *atomic.Int64) {
	buf := make([]byte, 64<<10)
	for {
		n, err := c.Read(buf)
		arrived.Add(int64(n))
		if err != nil {
			return
		}
	}
}

// streams has n connections of a client send, or receive.
func (g *gateway) streams(t *testing.T, client netip.Addr, dest netip.AddrPort, n int, down bool, congestion string) *hose {
	t.Helper()
	h := newHose(n)
	ln := listenTCP(t, g.Server, dest)
	for i := range n {
		near := inside(t, g.Client, func() (*net.TCPConn, error) { return connect(netip.AddrPortFrom(client, 0), dest) })
		far := accept(t, ln)
		t.Cleanup(func() { // at once, whatever is still on its way
			for _, c := range []*net.TCPConn{far, near} {
				_ = c.SetLinger(0)
				_ = c.Close()
			}
		})
		from, to := near, far
		if down {
			from, to = far, near
		}
		if congestion != "" {
			control(t, from, func(fd int) error {
				return unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, congestion)
			})
		}
		go pour(from)
		go catch(to, h.arrived[i])
	}
	return h
}

// datagrams has a client send, or receive, twice what it may, in datagrams of 1,200
// bytes, singly or in runs.
func (g *gateway) datagrams(t *testing.T, client netip.Addr, dest netip.AddrPort, rate int, down, runs bool) *hose {
	t.Helper()
	const each, perRun = 1200, 20
	h := newHose(1)
	near, far := listenUDP(t, g.Client, netip.AddrPortFrom(client, 0)), listenUDP(t, g.Server, dest)
	if _, err := near.WriteToUDPAddrPort([]byte("hello"), dest); err != nil {
		t.Fatal(err)
	}
	hello, err := next(far, patience)
	if err != nil {
		t.Fatal(err)
	}
	from, to, at := near, far, dest
	if down {
		from, to, at = far, near, hello.from
	}
	data := payload(each)
	if runs {
		data = payload(each * perRun)
		control(t, from, func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_UDP, unix.UDP_SEGMENT, each) })
	}
	_ = to.SetDeadline(time.Time{})
	go catch(to, h.arrived[0])
	go func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		start, sent := time.Now(), 0.0
		for range tick.C {
			for ; sent < 2*float64(rate)*time.Since(start).Seconds(); sent += float64(len(data)) {
				if _, err := from.WriteToUDPAddrPort(data, at); errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) {
					return
				}
			}
		}
	}()
	return h
}

// congestions are the congestion controls that there are.
func congestions() []string {
	text, _ := os.ReadFile("/proc/sys/net/ipv4/tcp_available_congestion_control")
	return strings.Fields(string(text))
}

// shapedClient is a client and how it uses the gateway.
type shapedClient struct {
	name string
	down bool
	use  func(t *testing.T, client netip.Addr, dest netip.AddrPort) *hose
}

// shapedClients are those of one way.
func (g *gateway) shapedClients(w way, udp bool) (all []shapedClient) {
	streams := func(n int, down bool, congestion string) {
		all = append(all, shapedClient{fmt.Sprintf("%d connections %s, down %v", n, congestion, down), down,
			func(t *testing.T, client netip.Addr, dest netip.AddrPort) *hose {
				return g.streams(t, client, dest, n, down, congestion)
			}})
	}
	streams(8, true, "")
	if !w.tproxy {
		return all
	}
	streams(1, true, "")
	streams(8, false, "")
	for _, congestion := range congestions() {
		streams(1, w.v6, congestion)
	}
	for _, down := range []bool{false, true} {
		for _, runs := range []bool{false, true} {
			if udp {
				all = append(all, shapedClient{fmt.Sprintf("datagrams, runs %v, down %v", runs, down), down,
					func(t *testing.T, client netip.Addr, dest netip.AddrPort) *hose {
						return g.datagrams(t, client, dest, map[bool]int{false: upRate, true: downRate}[down], down, runs)
					}})
			}
		}
	}
	return all
}

// TestClientRates asserts that each of many clients gets what it may, whatever the
// others do: connections copied and spliced, one and many, by all congestion controls,
// and datagrams singly and in runs; up and down, of both families.
func TestClientRates(t *testing.T) {
	t.Parallel()
	for _, relay := range []string{"copy", "splice"} {
		t.Run(relay, func(t *testing.T) {
			t.Parallel()
			udp := relay == "copy"
			g := startGateway(t, setup{plain: true, flags: []string{
				"--relay=" + relay, fmt.Sprintf("--client-rate=%d,%d", upRate, downRate), "--client-prefix=128", "--udp-timeout=2s",
			}})
			g.shared = writeBackFDs
			t.Run("clients", func(t *testing.T) {
				overWays(t, ways(), func(t *testing.T, w way) {
					t.Parallel()
					for i, c := range g.shapedClients(w, udp) {
						client := w.pick(fmt.Sprintf("10.78.%d.%d", 1+i, w.listener()%100), fmt.Sprintf("fd78::%d:%d", 1+i, w.listener()%100))
						t.Run(c.name, func(t *testing.T) {
							t.Parallel()
							h, want := c.use(t, client, w.dest(i)), float64(upRate)
							if c.down {
								want = downRate
							}
							h.wants(t, want)
						})
					}
				})
			})
			if dropped := g.counters(t).number("dropped_client_rate"); (dropped > 0) != udp {
				t.Errorf("%d datagrams were dropped", dropped)
			}
		})
	}
}

// TestClientRateReload asserts that a reload changes the rate of connections that run,
// that an inbound may have one of its own, that a network of IPv6 has one together, and
// that who is exempt has none.
func TestClientRateReload(t *testing.T) {
	t.Parallel()
	overWays(t, []way{{tproxy: true}, {tproxy: true, v6: true}}, func(t *testing.T, w way) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "sluice.json")
		inbounds := func(own string) string {
			return fmt.Sprintf(`"inbounds": [{"type": "redirect", "listen_port": %d}, {"type": "tproxy", "listen_port": %d%s}]`, redirectPort, tproxyPort, own)
		}
		configure := func(settings string) { writeFile(t, path, "{"+settings+"}") }
		configure(inbounds("") + `, "client_rate": "1MiB,off"`)
		g := startGateway(t, setup{plain: true, listen: []string{"--config=" + path}})
		near := w.normal()
		h := g.streams(t, near, w.dest(0), 2, false, "")
		h.wants(t, 1<<20)
		change := func(settings string) {
			configure(settings)
			g.reread(t)
		}
		change(inbounds(`, "client_rate": "3MiB,off"`) + `, "client_rate": "1MiB,off"`)
		other := g.streams(t, w.neighbour(), w.dest(1), 2, false, "")
		if w.v6 {
			(&hose{append(h.arrived, other.arrived...)}).wants(t, 3<<20)
		} else {
			h.wants(t, 3<<20)
		}
		change(inbounds("") + fmt.Sprintf(`, "client_rate": "1MiB,off", "client_exempt": [%q]`, near))
		pass(rateSettles)
		for i := 0; ; i++ {
			if rate, _, _ := h.rate(); rate > 8<<20 {
				break
			} else if i == rateWindows {
				t.Fatalf("an exempt client has %.0f bytes a second", rate)
			}
		}
	})
}
