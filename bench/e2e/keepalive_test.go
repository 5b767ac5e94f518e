//go:build linux

package e2e

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"sluice/bench/lab"
)

// TestKeepalive has a firewall before the server forget what is silent for some
// seconds: a connection that the client is silent on lives as long as sluice's
// own probes keep it known.
func TestKeepalive(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{flags: []string{"--keepalive=2s,1s,3"}})
	run(t, g.Server, "nft", "add table inet fw; add chain inet fw in { type filter hook input priority 0; };"+
		"add rule inet fw in tcp flags & (syn | ack) != syn ct state new drop; add rule inet fw in ct state invalid drop;")
	for key, value := range map[string]string{
		"net/netfilter/nf_conntrack_tcp_timeout_established": "5",
		"net/netfilter/nf_conntrack_tcp_loose":               "0",
	} {
		if err := g.Server.Sysctl(key, value); err != nil {
			t.Fatal(err)
		}
	}
	type pair struct{ client, server *net.TCPConn }
	var pairs []pair
	for _, w := range ways() {
		client, server := g.pair(t, w)
		mustWrite(t, client, payload(1))
		wantBytes(t, server, payload(1))
		pairs = append(pairs, pair{client, server})
	}
	pass(12 * time.Second)
	for _, p := range pairs {
		for _, c := range []*net.TCPConn{p.client, p.server} {
			_ = c.SetDeadline(time.Now().Add(patience))
		}
		mustWrite(t, p.client, payload(100))
		wantBytes(t, p.server, payload(100))
		p.client.Close()
		wantEnd(t, p.server, nil)
		p.server.Close()
	}
}

// TestVanishedPeer cuts the cable of one side, while it is silent or while
// something that was sent to it is not acknowledged: the other side hears of it
// soon. A reader that merely stalls is left alone.
func TestVanishedPeer(t *testing.T) {
	t.Parallel()
	const patienceOfKeepalive = 2*time.Second + 4*time.Second
	for _, c := range []struct {
		name   string
		server bool // it is the server that vanishes
		write  bool // something is sent to it then
	}{{"server, silent", true, false}, {"server, unacknowledged", true, true}, {"client, silent", false, false}, {"client, unacknowledged", false, true}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, setup{flags: []string{"--keepalive=2s,1s,4"}})
			var left []*net.TCPConn
			for _, w := range ways() {
				client, server := g.pair(t, w)
				mustWrite(t, client, payload(1))
				wantBytes(t, server, payload(1))
				if c.server {
					left = append(left, client)
				} else {
					left = append(left, server)
				}
			}
			pass(2500 * time.Millisecond) // until they are guarded
			gone := g.Client
			if c.server {
				gone = g.Server
			}
			filter(t, gone, "iifname != \"lo\" drop")
			cut := time.Now()
			if c.write {
				for _, conn := range left {
					mustWrite(t, conn, payload(1000))
				}
			}
			for _, conn := range left {
				_ = conn.SetDeadline(time.Now().Add(patience))
				wantReset(t, conn, nil)
			}
			if took := time.Since(cut); took > 2*patienceOfKeepalive {
				t.Errorf("noticed after %v", took)
			}
		})
	}
}

// TestStalledReaderIsNoVanishedPeer fills the buffers of a reader that lives and
// does not read, for longer than a vanished one is given.
func TestStalledReaderIsNoVanishedPeer(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{flags: []string{"--keepalive=1s,1s,2"}})
	const each = 16 << 20
	var readers []*net.TCPConn
	sent := make(chan error, len(ways()))
	for _, w := range ways() {
		client, server := g.pair(t, w)
		_ = server.SetDeadline(time.Now().Add(transferTime))
		readers = append(readers, client)
		go func() {
			_, err := send(server, 5, each, false)
			_ = server.CloseWrite()
			sent <- err
		}()
	}
	pass(9 * time.Second)
	want := digestOf(5, each)
	for _, r := range readers {
		_ = r.SetDeadline(time.Now().Add(transferTime))
		if sum, n, err := receive(r); err != nil || n != each || sum != want {
			t.Errorf("a reader that stalled got %d bytes, %v", n, err)
		}
		r.Close()
	}
	for range readers {
		if err := <-sent; err != nil {
			t.Errorf("writer: %v", err)
		}
	}
}

// TestStartsBeforeItsAddress has listeners whose address comes later, also one
// that duplicate address detection still holds back.
func TestStartsBeforeItsAddress(t *testing.T) {
	t.Parallel()
	addrs := []netip.Addr{netip.MustParseAddr("10.77.9.1"), netip.MustParseAddr("fd77:9::1")}
	var listen []string
	for _, a := range addrs {
		listen = append(listen, "--redirect="+netip.AddrPortFrom(a, redirectPort).String())
	}
	g := startGateway(t, setup{listen: listen, divert: func(l *lab.Lab) error {
		return l.Gateway.Run(t.Context(), "nft", "add table inet e2e; add chain inet e2e pre { type nat hook prerouting priority dstnat; };"+
			"add rule inet e2e pre ip daddr 10.77.2.2 tcp dport 20000 dnat ip to 10.77.9.1:12346;"+
			"add rule inet e2e pre ip6 daddr fd77:2::2 tcp dport 20000 dnat ip6 to [fd77:9::1]:12346;")
	}})
	if n := len(g.log.since(0, func(e entry) bool { return e.text("level") == "warn" && e.text("listen") != "" })); n != 2 {
		t.Errorf("%d warnings of an address that is not there, want 2", n)
	}
	for i, bits := range []string{"/32", "/128"} {
		run(t, g.Gateway, "ip", "address", "add", addrs[i].String()+bits, "dev", "lo")
	}
	for _, w := range []way{{}, {v6: true}} {
		client, server := g.pair(t, w)
		mustWrite(t, client, payload(100))
		wantBytes(t, server, payload(100))
	}
}
