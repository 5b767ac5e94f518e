package torture

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"sluice/bench/lab"
)

// stalledEach is what each stalled connection may hold, in bytes, where there are just so
// many that all of them reach what slows down everybody.
const stalledEach = 750_000

// stalled opens connections that ask for bulk and never read, with a normal client beside them.
func stalled(ctx context.Context, s *stage) error {
	pressure, err := tcpPressure()
	if err != nil {
		return err
	}
	n := min(pick(s, 2000, 4000), pick(s, 1, 2)*int(pressure/stalledEach))
	if err := s.serve(servePort); err != nil {
		return err
	}
	p, err := s.start(ctx)
	if err != nil {
		return err
	}
	client := normal{from: netip.MustParseAddr(lab.Client4), to: dest(false, servePort), rate: 100}
	length := pick(s, 2*time.Second, 10*time.Second)
	alone, err := s.measure(ctx, client, length)
	if err != nil {
		return err
	}
	before := p.rss()
	conns, err := s.stall(ctx, n)
	defer func() {
		for _, conn := range conns {
			abort(conn)
		}
	}()
	if err != nil {
		return err
	}
	var memory float64
	steady := func() bool { // the windows have filled
		now, _ := s.socketMemory(ctx)
		grown := now - memory
		memory = now
		return grown < memory/100
	}
	until(ctx, 20*time.Second, func() bool { pass(ctx, 500*time.Millisecond); return steady() })
	beside, err := s.measure(ctx, client, length)
	if err != nil {
		return err
	}
	s.note("stalled", float64(len(conns)), "")
	s.note("kernel memory of each", memory/1e3/float64(n), " kB")
	s.about(Most, "of what slows down all TCP", 100*memory/pressure, "%", 150, 100)
	s.atMost("memory grown for each", 1e3*(p.rss()-before)/float64(n), " kB", 64)
	s.compare("a normal client", alone, beside)
	for _, conn := range conns {
		abort(conn)
	}
	conns = nil
	over, err := p.quiet(ctx, 20*time.Second, keptFDs)
	if err != nil {
		return err
	}
	s.atMost("fds left", float64(over), "", 0)
	return p.stop(ctx)
}

// stall opens n connections from as many clients to a server that sends without an
// end, and reads from none.
func (s *stage) stall(ctx context.Context, n int) (conns []*net.TCPConn, err error) {
	for _, v6 := range []bool{false, true} {
		ln, err := s.listen(v6, otherPort)
		if err != nil {
			return nil, err
		}
		accepting(ln, func(conn *net.TCPConn) {
			_ = conn.SetWriteBuffer(16 << 10) // what is measured is sluice's
			_, _ = io.Copy(conn, endless{})
		})
	}
	err = s.Client.Do(func() error {
		for i := range n {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			conn, err := dialHere(spoofed(i%2 == 1, i), dest(i%2 == 1, otherPort), patience)
			if err != nil {
				return fmt.Errorf("stalled connection %d: %w", i, err)
			}
			conns = append(conns, conn)
		}
		return nil
	})
	return conns, err
}

// tcpPressure is how much all TCP sockets of the machine hold when the kernel begins to
// moderate them, in bytes: the second value of tcp_mem (tcp(7)).
func tcpPressure() (float64, error) {
	text, err := os.ReadFile("/proc/sys/net/ipv4/tcp_mem")
	if err != nil {
		return 0, err
	}
	values := strings.Fields(string(text))
	if len(values) != 3 {
		return 0, fmt.Errorf("tcp_mem is %q", text)
	}
	pages, err := strconv.ParseFloat(values[1], 64)
	return pages * float64(os.Getpagesize()), err
}

// socketMemory is what the kernel holds in the gateway's TCP sockets, in bytes: r and w of
// skmem (ss(8)): allocated for receiving, and queued for sending.
func (s *stage) socketMemory(ctx context.Context) (float64, error) {
	out, err := s.Gateway.Command(ctx, "ss", "-ntmH").Output()
	if err != nil {
		return 0, fmt.Errorf("ss: %w", err)
	}
	sum := 0.0
	for _, m := range regexp.MustCompile(`skmem:\(r(\d+),.*?,w(\d+),`).FindAllStringSubmatch(string(out), -1) {
		for _, text := range m[1:] {
			n, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return 0, err
			}
			sum += n
		}
	}
	return sum, nil
}
