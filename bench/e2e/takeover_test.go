//go:build linux

package e2e

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sluice/bench/lab"
)

// installing are the flags with which sluice diverts one way by its own rules.
func (w way) installing(fail string, flags ...string) setup {
	kind := map[bool]string{true: "tproxy", false: "redirect"}[w.tproxy]
	return setup{
		listen: []string{fmt.Sprintf("--%s=:%d", kind, w.listener())},
		flags:  append([]string{"--install-rules", "--via=" + kind, "--fail=" + fail, "--iface=" + lab.LAN}, flags...),
		divert: divertNothing,
	}
}

// succeed starts another sluice in the gateway of g, and waits until it has taken
// over.
func (g *gateway) succeed(t *testing.T, s setup) *gateway {
	t.Helper()
	next := launch(t, g.Lab, s)
	untilWithin(t, 2*patience, "the successor is ready", func() bool {
		if next.ended() {
			t.Fatalf("it ended early: %v\n%s", next.exit, next.log)
		}
		return len(next.log.since(0, message("ready"))) > 0
	})
	next.base, next.shared = next.FDs(), writeBackFDs
	if n := len(next.log.since(0, message("took over"))); n != 1 {
		t.Errorf("it says %d times that it took over", n)
	}
	until(t, "the incumbent drains", func() bool { return len(g.log.since(0, message("handed over; draining"))) == 1 })
	if by := g.log.since(0, message("handed over; draining"))[0].text("successor"); by != fmt.Sprintf("pid %d", next.Process) {
		t.Errorf("the successor is %q, want pid %d", by, next.Process)
	}
	return next
}

// TestTakeover asserts that of all connections and datagrams none is lost, and no
// SYN sent twice, while one sluice after the other takes over, and that a
// connection that runs goes on as long as its sluice drains.
func TestTakeover(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		w    way
		fail string
	}{
		{way{tproxy: true}, "closed"}, {way{tproxy: true, v6: true}, "open"}, {way{}, "open"}, {way{v6: true}, "closed"},
	} {
		t.Run(fmt.Sprintf("%v fail %s", c.w, c.fail), func(t *testing.T) {
			t.Parallel()
			s := c.w.installing(c.fail, "--drain-timeout=1m", "--udp-timeout=5s")
			g := startFirst(t, s)
			near, far := g.pair(t, c.w)
			nameCallers(t, g.Server, c.w.dest(1))
			conns, pings := g.keepAskingAt(t, c.w, c.w.dest(1)), &asking{over: make(chan struct{})}
			if c.w.tproxy {
				pings = g.keepPinging(t, c.w)
			}
			line := []*gateway{g}
			for i := range 3 {
				s.flags = append(s.flags[:len(s.flags):len(s.flags)], fmt.Sprintf("--reactors=%d", 3-i), // more, as many, fewer
					"--engine="+[]string{"epoll", "auto", "epoll"}[i])
				line = append(line, line[i].succeed(t, s))
			}
			g.signal(t, syscall.SIGTERM) // as a service manager does that restarts it
			until(t, "it drains on", func() bool { return len(g.log.since(0, message("draining; another signal ends it"))) > 0 })
			renew(near, far)
			mustWrite(t, near, payload(1000))
			wantBytes(t, far, payload(1000))
			near.Close()
			far.Close()
			for i, old := range line[:3] { // their sessions last no longer than --udp-timeout
				untilWithin(t, 2*patience, fmt.Sprintf("sluice %d ends", i), old.ended)
				if old.exit != nil {
					t.Errorf("sluice %d: %v", i, old.exit)
				}
			}
			before := conns.asked.Load()
			until(t, "connections go on after the first have ended", func() bool { return t.Failed() || conns.asked.Load() > before+20 })
			if n, m := conns.stop(), pings.stop(); n < 20 || m < 1 && c.w.tproxy {
				t.Errorf("only %d connections and %d datagrams in all that time", n, m)
			}
			if n := synRetransmits(t, g.Client); n > mostAgain {
				t.Errorf("%d SYNs were sent again", n)
			}
			line[3].finish(t)
		})
	}
}

// mostAgain is how many SYNs a busy machine may have sent again: a moment in which
// nobody listens makes each of those that ask at once do so.
const mostAgain = 2

// startFirst is startGateway for a sluice that others are to follow.
func startFirst(t *testing.T, s setup) *gateway {
	t.Helper()
	l := lab.For(t, s.lab)
	if err := s.divert(l); err != nil {
		t.Fatal(err)
	}
	g := launch(t, l, s)
	until(t, "sluice is ready", func() bool { return g.ended() || len(g.log.since(0, message("ready"))) > 0 })
	g.assertEngine(t, s.flags)
	g.base, g.shared = g.FDs(), writeBackFDs
	return g
}

// renew gives connections that have lived for a while their time anew.
func renew(conns ...*net.TCPConn) {
	for _, c := range conns {
		_ = c.SetDeadline(time.Now().Add(patience))
	}
}

// asking is what several goroutines ask one after the other, until stop.
type asking struct {
	asked   atomic.Int64
	over    chan struct{}
	ending  sync.Once
	running sync.WaitGroup
}

// keepDoing does something in several places at once, until stop or the end of the
// test. An error ends it in that place.
func keepDoing(t *testing.T, places int, do func() error) *asking {
	t.Helper()
	a := &asking{over: make(chan struct{})}
	t.Cleanup(func() { a.stop() })
	for range places {
		a.running.Go(func() {
			for {
				select {
				case <-a.over:
					return
				default:
				}
				if err := do(); err != nil {
					t.Errorf("after %d: %v", a.asked.Load(), err)
					return
				}
				a.asked.Add(1)
				pass(pollPause)
			}
		})
	}
	return a
}

// stop returns how often it was done.
func (a *asking) stop() int64 {
	a.ending.Do(func() { close(a.over) })
	a.running.Wait()
	return a.asked.Load()
}

// keepAskingAt opens connections to dest, where nameCallers serves. Each must
// come from sluice.
func (g *gateway) keepAskingAt(t *testing.T, w way, dest netip.AddrPort) *asking {
	t.Helper()
	return keepDoing(t, 8, func() error {
		c, err := inClient(g, dest)
		if err != nil {
			return err
		}
		defer c.Close()
		got, err := io.ReadAll(c)
		if err == nil && string(got) != w.seen().String() {
			err = fmt.Errorf("the server saw %q", got)
		}
		return err
	})
}

// keepPinging sends datagrams, each from a socket of its own and when the last
// one was answered.
func (g *gateway) keepPinging(t *testing.T, w way) *asking {
	t.Helper()
	at := startEcho(t, g.Server, w.dest(2)).at
	return keepDoing(t, 1, func() error { return g.ping(w, at) })
}

// ping has one datagram answered.
func (g *gateway) ping(w way, at netip.AddrPort) error {
	var c *net.UDPConn
	err := g.Client.Do(func() (err error) {
		c, err = net.ListenUDP(udpNetwork(w.client()), net.UDPAddrFromAddrPort(netip.AddrPortFrom(w.client(), 0)))
		return err
	})
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err = c.WriteToUDPAddrPort(payload(100), at); err == nil {
		_, err = next(c, patience)
	}
	return err
}

// synRetransmits is how many SYNs a namespace has sent again (TCPSynRetrans,
// /proc/net/netstat).
func synRetransmits(t *testing.T, ns *lab.Namespace) (n int) {
	t.Helper()
	text := inside(t, ns, func() ([]byte, error) { return os.ReadFile("/proc/thread-self/net/netstat") })
	var names []string
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if fields[0] != "TcpExt:" {
			continue
		}
		if names == nil {
			names = fields
			continue
		}
		for i, name := range names {
			if name == "TCPSynRetrans" {
				_, err := fmt.Sscan(fields[i], &n)
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
		}
	}
	t.Fatal("no TCPSynRetrans")
	return 0
}

// TestTakeoverThatFails asserts that a successor which cannot start, or does not
// answer, changes nothing, and says why.
func TestTakeoverThatFails(t *testing.T) {
	t.Parallel()
	w := way{tproxy: true}
	s := w.installing("closed")
	g := startFirst(t, s)
	nameCallers(t, g.Server, w.dest(1))
	conns := g.keepAskingAt(t, w, w.dest(1))
	holder := startHolder(t, g.Lab)
	fails := func(what string, s setup, words ...string) {
		t.Helper()
		n := launch(t, g.Lab, s)
		until(t, what+" ends", n.ended)
		for _, word := range words {
			if n.exit == nil || !strings.Contains(n.log.String(), word) {
				t.Errorf("%s: exit %v, %q is missing in %s", what, n.exit, word, n.log)
			}
		}
	}
	blocked := s
	blocked.listen = append([]string{"--redirect=:12346"}, s.listen...)
	fails("one with a port that is taken", blocked, "12346", "address already in use", holder)
	until(t, "the incumbent goes on", func() bool {
		return len(g.log.since(0, message("the hand-over came to nothing; this sluice goes on"))) == 1
	})
	apart := s
	apart.flags = append([]string{"--takeover=off"}, s.flags...)
	fails("one that is not to take over", apart, "address already in use", fmt.Sprintf("(pid %d)", g.Process))
	if n := len(g.log.since(0, message("handing over"))); n != 1 {
		t.Errorf("the incumbent began %d times to hand over", n)
	}
	neighbour := startBeside(t, g, setup{listen: []string{"--tproxy=:12999"}})
	between := s
	between.listen = append([]string{"--tproxy=:12999"}, s.listen...)
	fails("one between two", between, "several running sluices")
	neighbour.finish(t)
	if conns.stop() < 1 {
		t.Error("no connection in all that time")
	}

	g.halt(t)
	fails("one whose incumbent is stuck", s, fmt.Sprintf("(pid %d) does not answer", g.Process), fmt.Sprintf("kill -9 %d", g.Process))
	if err := g.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	until(t, "the stuck one is gone", g.ended)
	heir := launch(t, g.Lab, s) // over what the dead one left
	untilWithin(t, 2*patience, "the next one is ready", func() bool { return len(heir.log.since(0, message("ready"))) > 0 })
	client, server := heir.pair(t, w)
	client.Close()
	server.Close()
	heir.base, heir.shared = heir.FDs(), writeBackFDs
	heir.finish(t)
}

// startBeside starts a sluice that has nothing to do with that of g.
func startBeside(t *testing.T, g *gateway, s setup) *gateway {
	t.Helper()
	other := launch(t, g.Lab, s)
	until(t, "the other sluice is ready", func() bool { return other.ended() || len(other.log.since(0, message("ready"))) > 0 })
	other.base, other.shared = other.FDs(), writeBackFDs
	return other
}

// TestTakeoverFromDrain asserts that a sluice which drains, and refuses what is
// new, still hands over, and that only one of two successors at once does.
func TestTakeoverFromDrain(t *testing.T) {
	t.Parallel()
	w := way{tproxy: true}
	s := w.installing("closed", "--drain-timeout=1m")
	g := startFirst(t, s)
	near, far := g.pair(t, w)
	beginDrain(t, g, syscall.SIGTERM)
	both := []*gateway{launch(t, g.Lab, s), launch(t, g.Lab, s)}
	isReady := func(i int) bool { return len(both[i].log.since(0, message("ready"))) > 0 }
	until(t, "both are ready, or have given up", func() bool { return (isReady(0) || both[0].ended()) && (isReady(1) || both[1].ended()) })
	handedOver := func(i int) bool { return len(both[i].log.since(0, message("handed over; draining"))) > 0 }
	if isReady(0) && isReady(1) { // one followed the other
		until(t, "one of them drains", func() bool { return handedOver(0) || handedOver(1) })
	}
	last := 0
	if !isReady(0) || handedOver(0) {
		last = 1
	}
	other := both[1-last]
	until(t, "the other one ends", other.ended)
	if refused := strings.Contains(other.log.String(), "is about to follow it"); (other.exit != nil) != refused {
		t.Errorf("exit %v, %s", other.exit, other.log)
	}
	client, server := g.pair(t, w)
	client.Close()
	server.Close()
	renew(near, far)
	lateReply(t, func() (*net.TCPConn, *net.TCPConn) { return near, far })
	until(t, "the first ends", g.ended)
	if g.exit != nil {
		t.Errorf("the first: %v", g.exit)
	}
	both[last].base, both[last].shared = both[last].FDs(), writeBackFDs
	both[last].finish(t)
}

// TestTakeoverLeavesNoRules asserts that a successor which wants no rules ends
// those of the incumbent with it, and that the last one leaves none.
func TestTakeoverLeavesNoRules(t *testing.T) {
	t.Parallel()
	nft := needProgram(t, "nft", "nftables")
	w := way{tproxy: true}
	s := w.installing("closed")
	g := startFirst(t, s)
	there := func() bool {
		out, _ := g.Gateway.Command(t.Context(), nft, "list", "tables").CombinedOutput()
		return strings.Contains(string(out), "inet sluice")
	}
	g = g.succeed(t, s)
	if !there() {
		t.Error("no rules after a hand-over")
	}
	s.flags = nil
	next := g.succeed(t, s)
	until(t, "the incumbent ends", g.ended)
	if there() {
		t.Error("rules are left that nobody wants")
	}
	next.finish(t)
}
