package tcp

import (
	"io"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/redir/count"
	"sluice/redir/inbound"
	"sluice/redir/outbound"
	"sluice/redir/resolve"
)

// TestThroughServers has servers of both kinds carry what clients have sent before
// the servers were there, and destinations that speak first, in the same segment.
func TestThroughServers(t *testing.T) {
	w := turningWorker(t, settings())
	for network, dest := range map[string]netip.AddrPort{"tcp4": far4, "tcp6": far6} {
		for _, k := range kinds {
			for _, next := range []string{"", "220 ready\r\n", strings.Repeat("much ", 4000)} {
				for shape, write := range map[string]func(net.Conn, string){"at once": atOnce, "byte for byte": byteForByte} {
					said := make(chan string, 3)
					at := serve(t, network, func(c *net.TCPConn) {
						said <- talk(c, k.kind, k.answers, next, write)
						echo(c)
					})
					way := through(t, k.kind, k.user, at)
					for i := range 3 { // the first is a trial
						client := w.begin(way, dest, "early")
						read(t, client, next+"early")
						client.CloseWrite()
						if rest, err := io.ReadAll(client); err != nil || len(rest) != 0 {
							t.Errorf("%s, %s, %d: after the end: %q, %v", k.name, shape, i, rest, err)
						}
						if got, want := <-said, told(way, dest); got != want {
							t.Errorf("%s, %s, %d: it was told %q, want %q", k.name, shape, i, got, want)
						}
					}
				}
			}
		}
	}
	w.counted(count.FailedProxy, 0)
}

// TestServerEndsWithItsAnswer has the destination's last bytes and its FIN come
// with the answer.
func TestServerEndsWithItsAnswer(t *testing.T) {
	w := turningWorker(t, settings())
	for _, k := range kinds {
		got := make(chan string, 1)
		at := serve(t, "tcp4", func(c *net.TCPConn) {
			talk(c, k.kind, k.answers, "bye", func(c net.Conn, s string) {
				if strings.HasSuffix(s, "bye") {
					unix.SetsockoptInt(rawFD(t, c), unix.SOL_TCP, unix.TCP_CORK, 1)
				}
				io.WriteString(c, s)
			})
			c.CloseWrite()
			rest, _ := io.ReadAll(c)
			got <- string(rest)
		})
		client := w.begin(through(t, k.kind, k.user, at), far4, "early")
		if b, err := io.ReadAll(client); err != nil || string(b) != "bye" {
			t.Errorf("%s: %q, %v", k.name, b, err)
		}
		io.WriteString(client, " late")
		client.CloseWrite()
		if s := <-got; s != "early late" {
			t.Errorf("%s: the destination got %q", k.name, s)
		}
	}
}

// TestServerRefuses asserts that a client is reset at once where its server does
// not carry it, why that is, and that nothing but a server that is out of reach
// makes it take the fallback.
func TestServerRefuses(t *testing.T) {
	for _, c := range []struct {
		kind    outbound.Kind
		user    string
		answers []string
		want    count.Counter
	}{
		{outbound.Socks, "", []string{"\x05\x00", "\x05\x01\x00\x01\x00\x00\x00\x00\x00\x00"}, count.FailedProxy},
		{outbound.Socks, "", []string{"\x05\x00", "\x05\x02"}, count.FailedProxy},
		{outbound.Socks, "", []string{"\x05\x00", "\x05\x03"}, count.FailedUpstreamUnreachable},
		{outbound.Socks, "", []string{"\x05\x00", "\x05\x04"}, count.FailedUpstreamUnreachable},
		{outbound.Socks, "", []string{"\x05\x00", "\x05\x05"}, count.FailedUpstreamRefused},
		{outbound.Socks, "", []string{"\x05\x00", "\x05\x06"}, count.FailedUpstreamTimeout},
		{outbound.Socks, "", []string{"\x05\xff"}, count.FailedProxyAuth},
		{outbound.Socks, "joe", []string{"\x05\x02", "\x01\x01", ""}, count.FailedProxyAuth},
		{outbound.Socks, "", []string{"HTTP/1.0 400 what"}, count.FailedProxy},
		{outbound.HTTP, "", []string{"HTTP/1.1 407 who\r\n\r\n"}, count.FailedProxyAuth},
		{outbound.HTTP, "", []string{"HTTP/1.1 403 no\r\n\r\n"}, count.FailedProxy},
		{outbound.HTTP, "", []string{"HTTP/1.1 502 gone\r\n\r\n"}, count.FailedUpstreamUnreachable},
		{outbound.HTTP, "", []string{"HTTP/1.1 504 late\r\n\r\n"}, count.FailedUpstreamTimeout},
		{outbound.HTTP, "", []string{"SSH-2.0-x\r\n"}, count.FailedProxy},
	} {
		w := turningWorker(t, settings())
		at := serve(t, "tcp4", func(conn *net.TCPConn) {
			talk(conn, c.kind, c.answers, "", atOnce)
			io.Copy(io.Discard, conn)
		})
		way := through(t, c.kind, c.user, at)
		way.Fallback = through(t, outbound.Direct, "")
		isReset(t, w.begin(way, far4, "early"))
		w.counted(c.want, 1)
		w.counted(count.Fallbacks, 0)
	}
}

// TestServerOutOfReach has servers that refuse, end, reset or stall before they
// carry a conn: without a fallback its client is reset, else that carries it.
func TestServerOutOfReach(t *testing.T) {
	reset := func(c *net.TCPConn) { c.SetLinger(0) }
	for name, server := range map[string]func(c *net.TCPConn){
		"ends":                    func(c *net.TCPConn) {},
		"resets":                  reset,
		"ends after the method":   func(c *net.TCPConn) { talk(c, outbound.Socks, []string{"\x05\x00"}, "", atOnce) },
		"resets after the method": func(c *net.TCPConn) { talk(c, outbound.Socks, []string{"\x05\x00"}, "", atOnce); reset(c) },
		"ends in the middle of one": func(c *net.TCPConn) {
			talk(c, outbound.Socks, []string{"\x05\x00", "\x05\x00\x00\x01\x00"}, "", atOnce)
		},
		"stalls":                     func(c *net.TCPConn) { io.Copy(io.Discard, c) },
		"stalls in the first answer": func(c *net.TCPConn) { talk(c, outbound.Socks, []string{"\x05"}, "", atOnce); io.Copy(io.Discard, c) },
		"is not there":               nil,
	} {
		set := settings()
		if strings.HasPrefix(name, "stalls") {
			set.ConnectTimeout = 100 * time.Millisecond
		}
		w := turningWorker(t, set)
		at := serve(t, "tcp4", server)
		if server == nil {
			at = nobody(t)
		}
		way := through(t, outbound.Socks, "", at)
		isReset(t, w.begin(way, far4, "early"))
		other := *way
		other.Fallback = through(t, outbound.Direct, "")
		client := w.begin(&other, serve(t, "tcp4", echo), "early")
		read(t, client, "early")
		client.Close()
		w.counted(count.Fallbacks, 1)
		w.counted(count.ConnsClosed, 2)
		if t.Failed() {
			t.Fatalf("of a server that %s", name)
		}
	}
}

// TestServersNextAddress asserts that a server's addresses are tried in turn.
func TestServersNextAddress(t *testing.T) {
	w := turningWorker(t, settings())
	at := serve(t, "tcp6", func(c *net.TCPConn) {
		talk(c, outbound.HTTP, []string{httpOK}, "", atOnce)
		echo(c)
	})
	client := w.begin(through(t, outbound.HTTP, "", nobody(t), nobody(t), at), far4, "early")
	read(t, client, "early")
	client.Close()
	w.counted(count.DialsNext, 2)
}

// TestForwardsNextAddressThroughServer asserts that a server is asked for the next
// of a forward's addresses where it cannot reach one.
func TestForwardsNextAddressThroughServer(t *testing.T) {
	w := turningWorker(t, settings())
	way := through(t, outbound.Socks, "", netip.AddrPort{})
	way.In = inbound.New(inbound.Spec{Kind: inbound.Direct, Tag: "t"}, 1, inbound.Defaults{})
	way.In.Dests = resolve.Fixed(far4, far6)
	way.Out.Dests = resolve.Fixed(serve(t, "tcp4", func(c *net.TCPConn) {
		hello := told(way, far6)
		if said := talk(c, outbound.Socks, []string{"\x05\x00"}, "", atOnce); !strings.HasPrefix(hello, said) {
			t.Errorf("it was told %q", said)
		}
		request := make([]byte, 4+4+2)
		io.ReadFull(c, request)
		if request[3] == 1 {
			io.WriteString(c, "\x05\x04\x00\x01\x00\x00\x00\x00\x00\x00")
			return
		}
		io.ReadFull(c, make([]byte, 16-4))
		io.WriteString(c, socksOK)
		echo(c)
	}))
	for range 2 {
		client := w.begin(way, far4, "early")
		read(t, client, "early")
		client.Close()
	}
	w.counted(count.DialsNext, 2)
	w.counted(count.ConnsClosed, 2)
	w.counted(count.FailedUpstreamUnreachable, 0)
}

// TestFallbacksOfFallbacks has no server of three be there: one listens not, one
// has no address, and one ends at once.
func TestFallbacksOfFallbacks(t *testing.T) {
	w := turningWorker(t, settings())
	first, second := through(t, outbound.Socks, "", nobody(t)), through(t, outbound.HTTP, "")
	second.Fallback = through(t, outbound.HTTP, "", serve(t, "tcp6", func(*net.TCPConn) {}))
	first.Fallback = second
	isReset(t, w.begin(first, far4, ""))
	w.counted(count.Fallbacks, 2)
	unresolved := through(t, outbound.Socks, "")
	isReset(t, w.begin(unresolved, far4, ""))
	w.counted(count.RefusedUnresolved, 1)
}

// TestTrial has a server throw away what comes with the greeting: one conn waits
// for TrialPatience, and is carried; from then on nobody does.
func TestTrial(t *testing.T) {
	w := turningWorker(t, settings())
	trials := atomic.Int32{}
	at := serve(t, "tcp4", func(c *net.TCPConn) {
		b := make([]byte, 1024)
		n, _ := c.Read(b)
		if n > 3 {
			trials.Add(1)
		}
		io.WriteString(c, "\x05\x00")
		if n, _ = c.Read(b); n == 0 {
			return
		}
		io.WriteString(c, socksOK)
		echo(c)
	})
	way := through(t, outbound.Socks, "", at)
	for range 3 {
		client := w.begin(way, far4, "early")
		read(t, client, "early")
		client.Close()
	}
	if n := trials.Load(); n != 1 {
		t.Errorf("%d trials", n)
	}
	w.counted(count.ConnsClosed, 3)
	w.counted(count.FailedProxy, 0)
}

// TestClientGivesUp asserts that the server learns when a client is gone within
// the greeting.
func TestClientGivesUp(t *testing.T) {
	w := turningWorker(t, settings())
	heard, gone := make(chan struct{}), make(chan error)
	at := serve(t, "tcp4", func(c *net.TCPConn) {
		io.ReadFull(c, make([]byte, 3))
		close(heard)
		_, err := io.Copy(io.Discard, c)
		gone <- err
	})
	client := w.begin(through(t, outbound.Socks, "", at), far4, "")
	<-heard
	client.SetLinger(0)
	client.Close()
	<-gone
	w.counted(count.ConnsClosed, 1)
}

// TestSettleGreetings asserts that a dial which is over counts no more against its
// client's bound, although the reactor has not come to its edges.
func TestSettleGreetings(t *testing.T) {
	w := testWorker(t)
	at := serve(t, "tcp4", func(c *net.TCPConn) {
		talk(c, outbound.HTTP, []string{httpOK}, "", atOnce)
		io.Copy(io.Discard, c)
	})
	fd, _ := loopback(t)
	c := w.follow(t, fd, through(t, outbound.HTTP, "", at), far4)
	for c.state.dials() {
		event := int16(unix.POLLOUT) // the handshake is over
		if c.state == greeting {
			event = unix.POLLIN // there is an answer
		}
		if n, _ := unix.Poll([]unix.PollFd{{Fd: int32(c.upstream.fd), Events: event}}, int(longWait/time.Millisecond)); n != 1 {
			t.Fatalf("state %d: nothing comes", c.state)
		}
		w.settleDials(netip.PrefixFrom(someone, 32))
	}
	if c.state != relaying {
		t.Errorf("state %d", c.state)
	}
	if w.settleDials(netip.PrefixFrom(someone, 32)) {
		t.Error("no dial was left, and one was settled")
	}
}

// TestProxiedConnsShareExtras asserts that a conn needs no memory of its own for
// its greeting.
func TestProxiedConnsShareExtras(t *testing.T) {
	w := testWorker(t)
	c := conn{w: w}
	if n := testing.AllocsPerRun(100, func() {
		c.need().server.again = true
		c.spareExtra()
		if c.need().server.again {
			t.Fatal("an extra remembers another conn")
		}
		c.spareExtra()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
