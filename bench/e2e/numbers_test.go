//go:build linux

package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/bench/lab"
)

// Ports of a way, by what the configuration of numbered does with them.
const (
	toDirect    = iota // and others that no rule names
	toSocks            // p1
	toHTTP             // p2
	toBlock            // rejected by a rule
	toMapped           // reached at the port of toDirect+mappedShift
	toNobody           // the server listens there never
	toSilence          // the server drops what comes
	toForward          // a listener of the gateway
	mappedShift = 8
)

// proxyMark is the mark of what goes to p1.
const proxyMark = 0x12

// numbered is a gateway whose flows a test keeps books about, to compare them with
// what sluice says of each while it runs, and in its access log.
type numbered struct {
	routed
	*window
	logPath string
	blocked atomic.Int64 // connections and datagrams that a rule refused
	mu      sync.Mutex   // guards what follows
	books   []account
	port    uint16
}

// account is what both ends of a flow know of it.
type account struct {
	flowRecord
	name     string
	isSecret bool // its source: no end has seen it
}

// startNumbered runs a sluice with all kinds of inbounds and outbounds.
func startNumbered(t *testing.T, s setup) *numbered {
	t.Helper()
	n := &numbered{logPath: filepath.Join(t.TempDir(), "flows.log")}
	s, n.window = controlled(t, s)
	s.flags = append(s.flags, "--access-log="+n.logPath,
		fmt.Sprintf("--map=%d=%d,%d=%d", redirectFirst+toMapped, redirectFirst+mappedShift, tproxyFirst+toMapped, tproxyFirst+mappedShift))
	both := func(i int) []int { return []int{int(redirectFirst) + i, int(tproxyFirst) + i} }
	inbounds := []object{{"type": "tproxy", "tag": "tproxy-in", "listen_port": tproxyPort},
		{"type": "direct", "tag": "forward4", "listen_port": forward4, "override_address": lab.Server4, "override_port": forwardedTo},
		{"type": "direct", "tag": "forward6", "listen_port": forward6, "override_address": lab.Server6, "override_port": forwardedTo}}
	if !slices.Contains(s.flags, "--source=client") { // which needs TPROXY
		inbounds = append(inbounds, object{"type": "redirect", "tag": "redirect-in", "listen_port": redirectPort})
	}
	n.routed = startRoutes(t, s, object{
		"inbounds": inbounds,
		"outbounds": []object{{"type": "direct", "tag": "direct"},
			through(1, "socks", object{"mark": proxyMark}), through(2, "http", nil)},
		"route": object{"rules": []object{
			{"port": both(toSocks), "outbound": "p1"},
			{"port": both(toHTTP), "outbound": "p2"},
			{"port": both(toBlock), "action": "reject"}}},
	})
	n.startProxy(t, 1, manner{})
	n.startProxy(t, 2, manner{http: true})
	return n
}

// Ports of the gateway that lead to forwardedTo of the server.
const (
	forward4    = 30004
	forward6    = 30006
	forwardedTo = 8000
)

// inbound is the tag of a way's.
func (w way) inbound() string {
	return map[bool]string{true: "tproxy-in", false: "redirect-in"}[w.tproxy]
}

// open begins the account of a TCP connection to a port of a way, which it makes.
func (n *numbered) open(t *testing.T, w way, name string, port int) (client, server *net.TCPConn, a account) {
	t.Helper()
	dest, at := w.dest(port), w.dest(port)
	a = account{name: fmt.Sprintf("%s %v", name, w), flowRecord: flowRecord{Network: "tcp", Inbound: w.inbound(), Outbound: "direct", Mark: lab.ProxyMark}}
	if port == toMapped {
		at = w.dest(mappedShift)
		a.Dialed = at.String()
	}
	ln := listenTCP(t, n.Server, at)
	defer ln.Close()
	client = dialTCP(t, n.Client, dest)
	server = accept(t, ln)
	a.Client, a.Destination, a.Source = client.LocalAddr().String(), dest.String(), server.RemoteAddr().String()
	n.through(t, &a, port, server)
	return client, server, a
}

// through corrects an account of what goes to a proxy.
func (n *numbered) through(t *testing.T, a *account, port int, server *net.TCPConn) {
	t.Helper()
	rule, tag, seen := new(int), "direct", ""
	switch port {
	case toSocks:
		tag, a.Mark = "p1", proxyMark
	case toHTTP:
		tag, *rule = "p2", 1
	default:
		return
	}
	if got := wayOf(server.RemoteAddr().String()); got != tag {
		t.Fatalf("%s went by %s", a.name, got)
	}
	a.Outbound, a.Server, a.Rule, a.Source, a.isSecret = tag, netip.AddrPortFrom(netip.MustParseAddr(lab.Server4), proxyPort(*rule+1)).String(), rule, seen, true
}

// while asserts what is said of a flow that runs, in one of some states.
func (n *numbered) while(t *testing.T, a *account, states ...string) {
	t.Helper()
	if a.ID == "" {
		a.ID = n.find(t, a.Network, netip.MustParseAddrPort(a.Client)).ID
	}
	var got flowRecord
	var running bool
	if !eventually(patience, func() bool {
		got, running = n.flow(t, a.ID)
		return running && a.agrees(&got) && slices.Contains(states, got.State)
	}) {
		t.Errorf("%s is %s (want %v), running %v:\n got %s\nwant %s", a.name, got.State, states, running, got.facts(), a.facts())
	}
	if got.Started.IsZero() || got.Active.Before(got.Started) || got.Ended != nil {
		t.Errorf("%s: started %v, active %v, ended %v", a.name, got.Started, got.Active, got.Ended)
	}
}

// agrees compares all that ends can know of.
func (a *account) agrees(got *flowRecord) bool {
	want := a.flowRecord
	if a.isSecret {
		want.Source = got.Source
	}
	return got.facts() == want.facts()
}

// closed ends an account.
func (n *numbered) closed(a account, cause string) {
	a.Cause = cause
	n.mu.Lock()
	defer n.mu.Unlock()
	n.books = append(n.books, a)
}

// settle compares the access log with the books, and the sums with the counters.
func (n *numbered) settle(t *testing.T) {
	t.Helper()
	n.assertNothingLeft(t)
	var log map[string]flowRecord
	until(t, "all flows are in the access log", func() bool {
		log = readLog(t, n.logPath)
		return len(log) >= len(n.books)
	})
	sums := map[string]int64{"refused_blocked": n.blocked.Load()}
	for _, a := range n.books {
		got, ok := log[a.ID]
		if delete(log, a.ID); !ok {
			t.Errorf("%s (%s) is not in the access log", a.name, a.ID)
		} else if !a.agrees(&got) {
			t.Errorf("%s in the access log:\n got %s\nwant %s", a.name, got.facts(), a.facts())
		}
		for what, amount := range map[string]int64{a.Network + "_bytes_to_upstream": a.BytesUp, a.Network + "_bytes_to_client": a.BytesDown,
			"datagrams_to_upstream": a.DatagramsUp, "datagrams_to_client": a.DatagramsDown, a.Cause: 1} {
			sums[what] += amount
		}
	}
	for id, f := range log {
		t.Errorf("%s in the access log is nobody's: %s", id, f.facts())
	}
	n.wantSums(t, sums)
}

// wantSums asserts that counters and metrics have the sums of all flows.
func (n *numbered) wantSums(t *testing.T, sums map[string]int64) {
	t.Helper()
	counters, metrics := n.window.counters(t), n.scrape(t)
	for name, want := range sums {
		if got := counters[name]; got != want {
			t.Errorf("counter %s is %d, the ends have %d", name, got, want)
		}
	}
	for metric, name := range map[string]string{
		`sluice_bytes_total{network="tcp",direction="up"}`:         "tcp_bytes_to_upstream",
		`sluice_bytes_total{network="tcp",direction="down"}`:       "tcp_bytes_to_client",
		`sluice_bytes_total{network="udp",direction="up"}`:         "udp_bytes_to_upstream",
		`sluice_bytes_total{network="udp",direction="down"}`:       "udp_bytes_to_client",
		`sluice_datagrams_total{direction="up"}`:                   "datagrams_to_upstream",
		`sluice_datagrams_total{direction="down"}`:                 "datagrams_to_client",
		`sluice_ended_total{network="tcp",cause="conns_finished"}`: "conns_finished",
		`sluice_refused_total{cause="refused_blocked"}`:            "refused_blocked",
		`sluice_failed_total{cause="upstream_refused"}`:            "upstream_refused",
	} {
		if got, ok := metrics[metric]; !ok || int64(got) != sums[name] {
			t.Errorf("%s is %v (there: %v), the ends have %d", metric, got, ok, sums[name])
		}
	}
}

// exchanged moves bytes up and then down, and enters them.
func exchanged(t *testing.T, client, server *net.TCPConn, a *account, up, down int) {
	t.Helper()
	for _, half := range []struct {
		from, to *net.TCPConn
		n        int
		sum      *int64
	}{{client, server, up, &a.BytesUp}, {server, client, down, &a.BytesDown}} {
		go func() { _, _ = half.from.Write(payload(half.n)) }()
		wantBytes(t, half.to, payload(half.n))
		*half.sum += int64(half.n)
	}
}

// acknowledged waits until what c has sent has arrived at the other end of its leg.
func acknowledged(t *testing.T, c *net.TCPConn) {
	t.Helper()
	until(t, "all that was sent is acknowledged", func() bool {
		left := 0
		control(t, c, func(fd int) (err error) {
			left, err = unix.IoctlGetInt(fd, unix.TIOCOUTQ)
			return err
		})
		return left == 0
	})
}
