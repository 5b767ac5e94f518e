//go:build linux

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/bench/lab"
)

// misbehaving are proxies, each with what becomes of a flow that it is to carry.
var misbehaving = []struct {
	name string
	manner
	user, password string // told by sluice
	want           string // wentReset, or "" for one that is carried
	counter        string // that counts it
}{
	{name: "byte by byte", manner: manner{bytewise: true}},
	{name: "byte by byte, asks", manner: manner{bytewise: true, user: "someone", password: "s3cret-bytes"}, user: "someone", password: "s3cret-bytes"},
	{name: "HTTP byte by byte", manner: manner{http: true, bytewise: true}},
	{name: "answer and bytes at once", manner: manner{adds: []byte("first words")}},
	{name: "HTTP answer and bytes at once", manner: manner{http: true, adds: []byte("first words")}},
	{name: "other password", manner: manner{user: "someone", password: "right-one"}, user: "someone", password: "s3cret-wrong", want: wentReset, counter: "failed_proxy_auth"},
	{name: "HTTP other password", manner: manner{http: true, user: "someone", password: "right-one"}, user: "someone", password: "s3cret-wrong", want: wentReset, counter: "failed_proxy_auth"},
	{name: "asks who was told nothing", manner: manner{user: "someone", password: "right-one"}, want: wentReset, counter: "failed_proxy_auth"},
	{name: "general failure", manner: manner{refuses: 1}, want: wentReset, counter: "failed_proxy"},
	{name: "not allowed", manner: manner{refuses: 2}, want: wentReset, counter: "failed_proxy"},
	{name: "network unreachable", manner: manner{refuses: 3}, want: wentReset, counter: "upstream_unreachable"},
	{name: "refused", manner: manner{refuses: 5}, want: wentReset, counter: "upstream_refused"},
	{name: "unknown reply", manner: manner{refuses: 77}, want: wentReset, counter: "failed_proxy"},
	{name: "HTTP 403", manner: manner{http: true, refuses: 403}, want: wentReset, counter: "failed_proxy"},
	{name: "HTTP 502", manner: manner{http: true, refuses: 502}, want: wentReset, counter: "upstream_unreachable"},
	{name: "HTTP 503", manner: manner{http: true, refuses: 503}, want: wentReset, counter: "upstream_unreachable"},
	{name: "another method", manner: manner{method: 9}, want: wentReset, counter: "failed_proxy"},
	{name: "closes after the method", manner: manner{closes: 2}, want: wentReset, counter: "failed_proxy"},
	{name: "closes in the reply", manner: manner{closes: 7}, want: wentReset, counter: "failed_proxy"},
	{name: "HTTP closes in the answer", manner: manner{http: true, closes: 9}, want: wentReset, counter: "failed_proxy"},
	{name: "stalls in the method", manner: manner{stalls: 1}, want: wentReset, counter: "upstream_timeout"},
	{name: "stalls after the method", manner: manner{stalls: 2}, want: wentReset, counter: "upstream_timeout"}, // it is there
	{name: "HTTP stalls", manner: manner{http: true, stalls: 20}, want: wentReset, counter: "upstream_timeout"},
}

// outboundsOf are a proxy for each of a list, and rules that give each a network of
// destinations.
func (g *gateway) misbehave(t *testing.T) {
	for i, m := range misbehaving {
		g.startProxy(t, i+1, m.manner)
	}
}

func toMisbehaving() object {
	outs, rules := []object{{"type": "direct", "tag": "direct"}}, []object{}
	for i, m := range misbehaving {
		kind := "socks"
		if m.http {
			kind = "http"
		}
		more := object{}
		if m.user != "" {
			more = object{"username": m.user, "password": m.password}
		}
		outs = append(outs, through(i+1, kind, more))
		rules = append(rules, object{"ip_cidr": []string{fmt.Sprintf("198.18.%d.0/24", 100+i), fmt.Sprintf("2001:2::%d:0/112", 100+i)},
			"outbound": fmt.Sprintf("p%d", i+1)})
	}
	return object{"connect_timeout": "1s", "outbounds": outs, "route": object{"rules": rules}}
}

// TestMisbehavingProxies asserts what becomes of flows whose proxy refuses them,
// breaks off, stalls or is merely odd: a client is told at once, or as soon as the
// connect timeout is over, and whoever is carried loses nothing. No secret is logged.
func TestMisbehavingProxies(t *testing.T) {
	t.Parallel()
	g := startRoutes(t, setup{}, toMisbehaving())
	g.misbehave(t)
	for i, m := range misbehaving {
		t.Run(m.name, func(t *testing.T) {
			before := g.counters(t)
			var all sync.WaitGroup
			for _, w := range ways() {
				to := netip.AddrPortFrom(w.pick(fmt.Sprintf("198.18.%d.1", 100+i), fmt.Sprintf("2001:2::%d:1", 100+i)), w.port(0))
				echoTCP(t, g.Server, to)
				if m.want == wentReset {
					all.Go(func() { g.wantWay(t, "tcp", w.client(), to, wentReset) })
					continue
				}
				c := dialTCP(t, g.Client, to)
				wantBytes(t, c, m.adds)
				for _, n := range []int{1, 100, 300_000} {
					go func() { _, _ = c.Write(payload(n)) }()
					wantBytes(t, c, payload(n))
				}
				c.Close()
			}
			all.Wait()
			if m.counter == "" {
				return
			}
			// Three that its server breaks off from, and flows are refused without it.
			now := g.counters(t)
			if got, least := now.number(m.counter)-before.number(m.counter), len(ways())-min(m.closes, 1); got < least {
				t.Errorf("%s counts %d of %d flows: %v", m.counter, got, len(ways()), now)
			}
		})
	}
	for _, secret := range []string{"s3cret", "czNjcmV0", "right-one"} { // also as base64 begins it
		if strings.Contains(g.log.String(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
}

// TestDyingProxy asserts that a proxy which dies under load resets what it carried,
// and nothing else.
func TestDyingProxy(t *testing.T) {
	t.Parallel()
	g := startRoutes(t, setup{}, object{
		"outbounds": []object{{"type": "direct", "tag": "direct"}, through(1, "socks", nil), through(2, "http", object{"fallback": "direct"})},
		"route":     object{"rules": []object{{"port": []int{20000, 21000}, "outbound": "p1"}, {"port": []int{20001, 21001}, "outbound": "p2"}}},
	})
	dying := []*proxy{g.startProxy(t, 1, manner{}), g.startProxy(t, 2, manner{http: true})}
	const bulk = 8 << 20
	var carried, beside []*net.TCPConn
	for _, w := range ways() {
		for i := range 3 {
			ln := listenTCP(t, g.Server, w.dest(i))
			for range 2 {
				near := dialTCP(t, g.Client, w.dest(i))
				far := accept(t, ln)
				mustWrite(t, near, payload(100))
				wantBytes(t, far, payload(100))
				go func() { _, _ = far.Write(payload(bulk)) }()
				if i < 2 {
					carried = append(carried, near)
				} else {
					beside = append(beside, near)
				}
			}
		}
	}
	for _, c := range carried {
		wantBytes(t, c, payload(bulk)[:1<<20])
	}
	for _, p := range dying {
		p.stop()
	}
	for _, c := range carried {
		if _, err := io.Copy(io.Discard, c); err == nil {
			t.Error("an orderly end of a connection whose proxy died")
		}
	}
	for _, c := range beside {
		wantBytes(t, c, payload(bulk))
		c.Close()
	}
	for _, w := range ways() {
		at := netip.AddrPortFrom(w.pick("198.18.7.7", "2001:2::77"), w.port(1))
		tellPeers(t, g.Server, at)
		g.wantWay(t, "tcp", w.client(), at, wentDirect) // by the fallback
	}
}

// TestFallback asserts that flows take another way while a server is down, at once,
// that they come back, and that both is said once.
func TestFallback(t *testing.T) {
	t.Parallel()
	g := startRoutes(t, setup{}, object{
		"connect_timeout": "2s",
		"outbounds": []object{{"type": "direct", "tag": "direct"},
			through(1, "socks", object{"fallback": "p2"}), through(2, "http", object{"fallback": "direct"}), through(3, "socks", nil)},
		"route": object{"rules": []object{{"port": []int{20000, 21000}, "outbound": "p1"}, {"port": []int{20001, 21001}, "outbound": "p3"}}},
	})
	p1, p2, p3 := g.startProxy(t, 1, manner{}), g.startProxy(t, 2, manner{http: true}), g.startProxy(t, 3, manner{})
	for _, w := range ways() {
		for i := range 2 {
			tellPeers(t, g.Server, w.dest(i))
		}
	}
	all := func(want0, want1 string) {
		t.Helper()
		for _, w := range ways() {
			for range 2 {
				g.wantWay(t, "tcp", w.client(), w.dest(0), want0)
				g.wantWay(t, "tcp", w.client(), w.dest(1), want1)
			}
		}
	}
	all("p1", "p3")
	p1.stop()
	p3.stop()
	all("p2", wentReset)
	p2.stop()
	all(wentDirect, wentReset)
	for _, w := range udpWays() {
		g.wantWay(t, "udp", w.client(), w.dest(0), wentDirect)
		g.wantWay(t, "udp", w.client(), w.dest(1), wentReset)
	}
	for _, p := range []*proxy{p1, p2, p3} {
		p.start(t)
	}
	for _, w := range ways() {
		until(t, "p1 carries again", func() bool { return g.took("tcp", w.client(), w.dest(0), patience) == "p1" })
		until(t, "p3 carries again", func() bool { return g.took("tcp", w.client(), w.dest(1), patience) == "p3" })
	}
	all("p1", "p3")
	c := g.counters(t)
	if c.number("fallbacks") == 0 || c.number("outbounds_down") != 3 || c.number("outbounds_up") < 2 {
		t.Errorf("counters %v, want three that went down", c)
	}
	for _, tag := range []string{"p1", "p3"} {
		lines := g.log.since(0, func(e entry) bool {
			return e.text("outbound") == tag && strings.HasPrefix(e.text("message"), "an outbound's server")
		})
		if len(lines) != 2 {
			t.Errorf("%d lines about %s, want one when it went down and one when it came back: %v", len(lines), tag, lines)
		}
	}
}

// TestGroup asserts that a group takes the fastest that lives, another when that one
// dies, and leaves flows where they are.
func TestGroup(t *testing.T) {
	t.Parallel()
	target := netip.AddrPortFrom(netip.MustParseAddr(lab.Server4), 8000)
	g := startRoutes(t, setup{}, object{
		"connect_timeout": "1s",
		"outbounds": []object{{"type": "urltest", "tag": "fastest", "outbounds": []string{"p1", "p2"}, "url": "http://" + target.String() + "/", "interval": "1s",
			"tolerance": 0}, through(1, "socks", nil), through(2, "http", nil)},
	})
	p1, p2 := g.startProxy(t, 1, manner{}), g.startProxy(t, 2, manner{http: true, bytewise: true}) // which is slow
	serveTCP(t, g.Server, target, func(c *net.TCPConn) {
		_, _ = c.Read(make([]byte, 1000))
		_, _ = io.WriteString(c, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
	})
	for _, w := range ways() {
		tellPeers(t, g.Server, w.dest(1))
		until(t, "the fastest is taken", func() bool { return g.took("tcp", w.client(), w.dest(1), patience) == "p1" })
	}
	w := ways()[3]
	ln := listenTCP(t, g.Server, w.dest(2))
	near := dialTCP(t, g.Client, w.dest(2))
	far := accept(t, ln)
	p1.down() // what runs goes on
	until(t, "the other is taken", func() bool { return g.took("tcp", w.client(), w.dest(1), patience) == "p2" })
	renew(near, far)
	mustWrite(t, near, payload(1000))
	wantBytes(t, far, payload(1000))
	p1.start(t)
	until(t, "the fastest is taken again", func() bool { return g.took("tcp", w.client(), w.dest(1), patience) == "p1" })
	if p2.carried.Load() == 0 {
		t.Error("the other carried nothing")
	}
}

// TestProxyUDP asserts that datagrams go through SOCKS5 unchanged, in both families,
// with replies from whoever answers, that an association which ends is made anew,
// and that the proxy's address for datagrams may be none or another host's.
func TestProxyUDP(t *testing.T) {
	t.Parallel()
	outs, rules := []object{{"type": "direct", "tag": "direct"}}, []object{}
	manners := []manner{{}, {relay: "0.0.0.0"}, {relay: "198.18.2.2"}, {drops: 5}, {user: "u", password: "p", bytewise: true}, {refuses: 7}, {relay: "::"}}
	for i, m := range manners {
		more := object{}
		if m.user != "" {
			more = object{"username": m.user, "password": m.password}
		}
		outs = append(outs, through(i+1, "socks", more))
		rules = append(rules, object{"port": 21000 + i, "outbound": fmt.Sprintf("p%d", i+1)})
	}
	outs = append(outs, through(9, "http", nil),
		object{"type": "http", "tag": "or p1", "server": "10.77.2.2", "server_port": proxyPort(9), "fallback": "p1"})
	rules = append(rules, object{"port": 21009, "outbound": "p9"}, object{"port": 21010, "outbound": "or p1"})
	g := startRoutes(t, setup{}, object{"outbounds": outs, "route": object{"rules": rules}})
	var proxies []*proxy
	for i, m := range manners {
		proxies = append(proxies, g.startProxy(t, i+1, m))
	}
	for _, w := range udpWays() {
		for i, m := range manners {
			at := w.dest(i)
			startEcho(t, g.Server, at)
			c := connectedUDP(t, g.Client, at)
			if m.refuses != 0 {
				_, _ = c.Write([]byte("?"))
				if _, err := next(c, patience); err == nil {
					t.Errorf("%v: an answer where the proxy refuses", at)
				}
				continue
			}
			for round := range 3 {
				for _, size := range []int{1, 1200, 0, 1472, 9000, 60_000} {
					want := payload(size)
					if !eventually(patience, func() bool { // while an association is made anew, some are lost
						if _, err := c.Write(want); err != nil {
							return false
						}
						got, err := next(c, time.Second)
						return err == nil && bytes.Equal(got.data, want)
					}) {
						t.Fatalf("%v, round %d: %d bytes did not come back", at, round, size)
					}
				}
			}
		}
		g.wantWay(t, "udp", w.client(), w.dest(9), wentReset) // HTTP carries none
		tellPeers(t, g.Server, w.dest(10))
		g.wantWay(t, "udp", w.client(), w.dest(10), "p1") // by the fallback, which does
	}
	if n := proxies[3].associations.Load(); n < 2 {
		t.Errorf("%d associations where one was ended", n)
	}
	for i, p := range proxies[1:3] {
		if n := p.associations.Load(); n != 2 {
			t.Errorf("proxy %d has had %d associations, want one for each family's client", i+2, n)
		}
	}
}

// TestProxyTransfer asserts that streams through proxies are relayed as any, with
// half-closes and resets.
func TestProxyStreams(t *testing.T) {
	t.Parallel()
	g := startRoutes(t, setup{}, object{"outbounds": []object{through(1, "socks", nil), through(2, "http", nil)},
		"route": object{"final": "p1", "rules": []object{{"port": []int{20001, 21001}, "outbound": "p2"}}}})
	g.startProxy(t, 1, manner{})
	g.startProxy(t, 2, manner{http: true})
	for _, w := range ways() {
		for i, by := range []string{"p1", "p2"} {
			open := func(t *testing.T) (client, server *net.TCPConn) {
				ln := listenTCP(t, g.Server, w.dest(i))
				defer ln.Close()
				client = dialTCP(t, g.Client, w.dest(i))
				server = accept(t, ln)
				if got := wayOf(server.RemoteAddr().String()); got != by {
					t.Fatalf("the server sees %v, want %s", server.RemoteAddr(), by)
				}
				return client, server
			}
			const size = 20 << 20
			want := digestOf(3, size)
			client, server := open(t)
			var up, down error
			var both sync.WaitGroup
			both.Go(func() { up = transfer(client, server, 3, size, want) })
			both.Go(func() { down = transfer(server, client, 3, size, want) })
			both.Wait()
			if err := errors.Join(up, down); err != nil {
				t.Errorf("%v by %s: %v", w, by, err)
			}
			for name, run := range map[string]func(*testing.T, func() (near, far *net.TCPConn)){
				"late reply": lateReply, "speaks first": speaksFirst, "reset": resetResets, "half closed reset": resetResetsHalfClosed,
			} {
				t.Run(fmt.Sprint(w, " ", by, " ", name), func(t *testing.T) {
					run(t, func() (near, far *net.TCPConn) { return open(t) })
					run(t, func() (near, far *net.TCPConn) { c, s := open(t); return s, c })
				})
			}
		}
	}
}
