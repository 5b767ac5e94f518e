package torture

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"sluice/bench/dgram"
	"sluice/bench/lab"
)

// Who is hostile, and who is normal; both are of one family in turn.
const (
	hostile4 = "10.78.66.6"
	hostile6 = "fd78::66:6"
	normal4  = lab.Client4
	normal6  = lab.Client6
)

// starveFiles is sluice's fd limit: a hostile client can go for all of it.
const starveFiles = 4000

// holePort is a port of the server that never answers, by blackHole.
const holePort = 9666

const blackHole = `table inet hole {
 chain in {
  type filter hook input priority filter
  tcp dport %d drop
 }
}`

// starve puts a hostile client beside a normal one: it holds connections, dials
// where nobody answers, opens sessions, or connects as fast as it can.
func starve(ctx context.Context, s *stage) error {
	if err := s.serve(servePort); err != nil {
		return err
	}
	if err := s.nft(ctx, s.Server, fmt.Sprintf(blackHole, holePort)); err != nil {
		return err
	}
	limit := fmt.Sprintf("--nofile=%d:%d", starveFiles, starveFiles)
	for i, a := range attacks() {
		families := pick(s, []bool{i%2 == 1}, []bool{false, true})
		for _, v6 := range families {
			p, err := s.startAs(ctx, spec{under: []string{"prlimit", limit}, flags: []string{"--udp-timeout=30s"}})
			if err != nil {
				return err
			}
			if err := s.starveBy(ctx, a, v6); err != nil {
				return fmt.Errorf("%s: %w", a.name, err)
			}
			p.kill()
			if err := s.settle(ctx); err != nil {
				return err
			}
		}
	}
	s.readings = worst(s.readings)
	return nil
}

// settle takes away what a killed sluice left, so that the next finds a clean gateway.
func (s *stage) settle(ctx context.Context) error {
	p, err := s.start(ctx)
	if err != nil {
		return err
	}
	return p.stop(ctx)
}

// attack is what a hostile client does until ctx ends.
type attack struct {
	name string
	run  func(ctx context.Context, from netip.Addr, v6 bool)
}

func attacks() []attack {
	return []attack{
		{"holds", func(ctx context.Context, from netip.Addr, v6 bool) { hold(ctx, from, dest(v6, servePort), 2500) }},
		{"dials into nothing", func(ctx context.Context, from netip.Addr, v6 bool) { hold(ctx, from, dest(v6, holePort), 2500) }},
		{"opens sessions", openSessions},
		{"connects at once", connectAll},
	}
}

func (s *stage) starveBy(ctx context.Context, a attack, v6 bool) error {
	from, hostile := netip.MustParseAddr(normal4), netip.MustParseAddr(hostile4)
	if v6 {
		from, hostile = netip.MustParseAddr(normal6), netip.MustParseAddr(hostile6)
	}
	client := normal{from: from, to: dest(v6, servePort), rate: 100}
	length := pick(s, 1500*time.Millisecond, 10*time.Second)
	alone, err := s.measure(ctx, client, length)
	if err != nil {
		return err
	}
	under, cancel := context.WithCancel(ctx)
	var attacking sync.WaitGroup
	attacking.Go(func() { _ = s.Client.Do(func() error { a.run(under, hostile, v6); return nil }) })
	pass(ctx, pick(s, 500*time.Millisecond, 3*time.Second)) // the attack is under way
	beside, err := s.measure(ctx, client, length)
	cancel()
	attacking.Wait()
	if err != nil {
		return err
	}
	s.compare(a.name, alone, beside)
	return nil
}

// hold opens n connections without waiting for them, keeps them, and opens anew what was
// ended, until ctx ends.
func hold(ctx context.Context, from netip.Addr, to netip.AddrPort, n int) {
	fds := make([]int, 0, n)
	defer func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}()
	for ctx.Err() == nil {
		for len(fds) < n && ctx.Err() == nil {
			fd, err := begin(from, to)
			if err != nil {
				break
			}
			fds = append(fds, fd)
		}
		pass(ctx, 100*time.Millisecond)
		kept := fds[:0]
		for _, fd := range fds {
			if e, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR); err != nil || e != 0 || closed(fd) {
				unix.Close(fd)
				continue
			}
			kept = append(kept, fd)
		}
		fds = kept
	}
}

// begin begins to connect, and does not wait.
func begin(from netip.Addr, to netip.AddrPort) (fd int, err error) {
	family := unix.AF_INET
	if to.Addr().Is6() {
		family = unix.AF_INET6
	}
	if fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
		return -1, err
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1) // fewer ports without
	if err = unix.Bind(fd, dgram.Sockaddr(netip.AddrPortFrom(from, 0))); err == nil {
		err = unix.Connect(fd, dgram.Sockaddr(to))
	}
	if err != nil && err != unix.EINPROGRESS {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// closed tells a connection that the other side has ended.
func closed(fd int) bool {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	n, _ := unix.Poll(p, 0)
	return n == 1 && p[0].Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0
}

// openSessions sends a datagram from each of its ports, over and over.
func openSessions(ctx context.Context, from netip.Addr, v6 bool) {
	to := net.UDPAddrFromAddrPort(dest(v6, servePort))
	for port := 10_000; ctx.Err() == nil; port = 10_000 + (port-9_999)%40_000 {
		conn, err := net.DialUDP("udp", &net.UDPAddr{IP: from.AsSlice(), Port: port}, to)
		if err != nil {
			continue
		}
		_, _ = conn.Write([]byte("session"))
		conn.Close()
	}
}

// connectAll connects, asks and closes without a pause.
func connectAll(ctx context.Context, from netip.Addr, v6 bool) {
	for ctx.Err() == nil {
		conn, err := dialHere(from, dest(v6, servePort), time.Second)
		if err != nil {
			continue
		}
		_ = write(conn, "x")
		abort(conn)
	}
}
