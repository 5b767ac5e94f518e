package udp

import (
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/loop"
	"sluice/nat"
	"sluice/redir/count"
	"sluice/redir/greet"
	"sluice/redir/inbound"
	"sluice/redir/outbound"
	"sluice/redir/resolve"
	"sluice/redir/route"
	"sluice/redir/socket"
)

// socksServer is a SOCKS5 server that relays datagrams.
type socksServer struct {
	t     testing.TB
	tcp   *net.TCPListener
	relay string // where relays listen, ADDR:0
	code  byte   // of its answer
	only  byte   // the type of addresses that it knows; 0: all
	bound []byte // type, address and port of its answer; nil: the relay's
	hold  chan struct{}

	mu      sync.Mutex
	granted int
	conns   []net.Conn
	places  []*net.UDPConn // where clients send to
}

// newSOCKSServer starts one, after it was told what to do otherwise.
func newSOCKSServer(t testing.TB, addr string, otherwise ...func(*socksServer)) *socksServer {
	t.Helper()
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr)))
	if err != nil {
		t.Fatal(err)
	}
	s := &socksServer{t: t, tcp: l, relay: netip.AddrPortFrom(netip.MustParseAddrPort(addr).Addr(), 0).String()}
	for _, change := range otherwise {
		change(s)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns = append(s.conns, c)
			s.mu.Unlock()
			serving.Go(func() { s.serve(c) })
		}
	})
	t.Cleanup(func() { l.Close(); s.hangUp(); serving.Wait() })
	return s
}

func (s *socksServer) at() netip.AddrPort { return s.tcp.Addr().(*net.TCPAddr).AddrPort() }

// hangUp ends all connections, and with them the relays.
func (s *socksServer) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.Close()
	}
	s.conns = nil
}

// clients is how many associations were granted.
func (s *socksServer) clients() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.granted
}

// place is where the first client sends to.
func (s *socksServer) place() *net.UDPConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.places[0]
}

// serve reads what a client says, which is of a known length, and relays until it
// hangs up.
func (s *socksServer) serve(c net.Conn) {
	defer c.Close()
	b := make([]byte, 512)
	if _, err := io.ReadFull(c, b[:3]); err != nil {
		return
	}
	c.Write([]byte{5, 0})
	if _, err := io.ReadFull(c, b[:4]); err != nil {
		return
	}
	if s.only != 0 && b[3] != s.only {
		c.Write([]byte{5, 8, 0, 1, 0, 0, 0, 0, 0, 0})
		return
	}
	rest := 4 + 2
	if b[3] == 4 {
		rest = 16 + 2
	}
	if _, err := io.ReadFull(c, b[:rest]); err != nil {
		return
	}
	if s.hold != nil {
		<-s.hold
	}
	if s.code != 0 {
		c.Write([]byte{5, s.code, 0, 1, 0, 0, 0, 0, 0, 0})
		return
	}
	in, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(s.relay)))
	if err != nil {
		s.t.Error(err)
		return
	}
	defer in.Close()
	at := in.LocalAddr().(*net.UDPAddr).AddrPort()
	answer := greet.AppendUDPHeader(nil, at)[3:]
	if s.bound != nil {
		answer = slices.Concat(s.bound, answer[len(answer)-2:])
	}
	s.mu.Lock()
	s.granted++
	s.places = append(s.places, in)
	s.mu.Unlock()
	c.Write(slices.Concat([]byte{5, 0, 0}, answer))
	out, done := s.pass(in)
	io.Copy(io.Discard, c)
	in.Close()
	out.Close()
	done.Wait()
}

// pass relays datagrams between the client of in and remotes, until both sockets
// are closed.
func (s *socksServer) pass(in *net.UDPConn) (out *net.UDPConn, done *sync.WaitGroup) {
	out, err := net.ListenUDP("udp", nil)
	if err != nil {
		s.t.Error(err)
	}
	done = new(sync.WaitGroup)
	var mu sync.Mutex
	var client netip.AddrPort
	done.Go(func() {
		b := make([]byte, 1<<16)
		for {
			n, from, err := in.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			mu.Lock()
			client = from
			mu.Unlock()
			if dest, size, ok := greet.ParseUDPHeader(b[:n]); ok {
				out.WriteToUDPAddrPort(b[size:n], dest)
			}
		}
	})
	done.Go(func() {
		b := make([]byte, 1<<16)
		for {
			n, from, err := out.ReadFromUDPAddrPort(b[greet.MostUDPHeader:])
			if err != nil {
				return
			}
			header := greet.AppendUDPHeader(nil, netip.AddrPortFrom(from.Addr().Unmap(), from.Port()))
			datagram := b[greet.MostUDPHeader-len(header) : greet.MostUDPHeader+n]
			copy(datagram, header)
			mu.Lock()
			in.WriteToUDPAddrPort(datagram, client)
			mu.Unlock()
		}
	})
	return out, done
}

// take has all sessions take the first of the outbounds, of which servers' tags
// are those of Fixed destinations.
func (s *relays) take(servers map[string]netip.AddrPort, specs ...outbound.Spec) {
	s.t.Helper()
	for i := range specs {
		if at, ok := servers[specs[i].Tag]; ok {
			specs[i].Server = resolve.Target{Host: at.Addr().String(), Port: at.Port()}
		}
	}
	set, err := outbound.Open(specs, nil, func(target resolve.Target) *resolve.Dests {
		return resolve.Fixed(target.AddrPort())
	}, func(*outbound.Outbound, bool, error) {})
	if err != nil {
		s.t.Fatal(err)
	}
	s.use(set, &route.Spec{}, nil)
}

// use has all workers take routes.
func (s *relays) use(set *outbound.Set, spec *route.Spec, table *route.Table) {
	s.t.Helper()
	for i, w := range s.workers {
		s.on(i, func() {
			settings := *w.set
			settings.Router = outbound.NewRouter([]*inbound.Inbound{&s.in}, set, spec, table)
			settings.ConnectTimeout = 5 * time.Second
			w.Set(&settings)
		})
	}
}

// takeSOCKS has all sessions take a server.
func (s *relays) takeSOCKS(server netip.AddrPort) {
	s.take(map[string]netip.AddrPort{"proxy": server}, outbound.Spec{Kind: outbound.Socks, Tag: "proxy"})
}

// counted waits until so much of a thing was counted.
func (s *relays) counted(what count.Counter, n uint64) {
	s.t.Helper()
	eventually(s.t, what.String(), func() bool { st := s.stats(); return st[what] >= n })
}

// enableGRO has a socket receive runs.
func enableGRO(t testing.TB, c *net.UDPConn) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_GRO, 1) })
	if err != nil {
		t.Fatal(err)
	}
}

// relayNow waits until the only session has a relay.
func (s *relays) relayNow() (r *relay) {
	s.t.Helper()
	eventually(s.t, "the session has a relay", func() bool {
		s.shared.flows.Range(func(e *nat.Entry[*flow]) bool { r = e.Value.there.relay.Load(); return true })
		return r != nil
	})
	return r
}

// localAddr is the address of a socket.
func localAddr(t testing.TB, fd int) netip.AddrPort {
	t.Helper()
	at, err := socket.LocalAddr(fd)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// sendRun sends datagrams of so many bytes each as one message.
func sendRun(t testing.TB, c *net.UDPConn, to netip.AddrPort, run []byte, each int) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		b, gso := loop.NewSendBatch(1), loop.GSO{}
		b.Push(&loop.Envelope{Dest: to}, run, each, &gso)
		if sent := b.Send(int(fd), &gso); sent.Dropped > 0 {
			t.Errorf("%+v", sent)
		}
	})
}
