package torture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"sluice/redir/sockets"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// elephants are bulk loads of iperf3.
type elephants struct {
	name string
	args []string
}

func herds() []elephants {
	return []elephants{
		{"1 up", nil},
		{"8 up", []string{"--parallel", "8"}},
		{"1 down", []string{"--reverse"}},
		{"8 down", []string{"--reverse", "--parallel", "8"}},
		{"UDP GSO", []string{"--udp", "--bitrate", "2G", "--length", "1400"}},
	}
}

// mice measures a small exchange beside bulk, in each way to relay, with sluice on
// one CPU and the bulk's ends on the other, as plain forwarding would have them too.
func mice(ctx context.Context, s *stage) error {
	for _, v6 := range pick(s, []bool{false}, []bool{false, true}) {
		ln, err := s.listen(v6, otherPort)
		if err != nil {
			return err
		}
		accepting(ln, func(conn *net.TCPConn) { _, _ = io.Copy(conn, struct{ io.Reader }{conn}) })
		for _, relay := range pick(s, []string{"auto", "copy", "splice"}, []string{forwarded, "auto", "copy", "splice"}) {
			if err := s.miceBy(ctx, relay, v6); err != nil {
				return fmt.Errorf("%s: %w", relay, err)
			}
		}
	}
	s.readings = worst(s.readings)
	return nil
}

// forwarded is no way to relay: the kernel forwards, and no sluice runs.
const forwarded = "forwarded"

func (s *stage) miceBy(ctx context.Context, relay string, v6 bool) error {
	if relay == forwarded {
		return s.miceBeside(ctx, relay, v6)
	}
	p, err := s.startAs(ctx, spec{under: onCPU(firstCPU), flags: []string{"--reactors=1", "--relay=" + relay}})
	if err != nil {
		return err
	}
	return errors.Join(s.miceBeside(ctx, relay, v6), p.stop(ctx))
}

func (s *stage) miceBeside(ctx context.Context, relay string, v6 bool) error {
	conn, err := dial(s.Client, netip.Addr{}, dest(v6, otherPort), time.Hour)
	if err != nil {
		return err
	}
	defer conn.Close()
	length := pick(s, 1200*time.Millisecond, 5*time.Second)
	idle, err := pingPong(conn, length)
	if err != nil {
		return err
	}
	herd := herds()
	if s.o.Short { // a part of them, one of each kind over the three ways to relay
		herd = map[string][]elephants{"auto": {herd[0], herd[4]}, "copy": {herd[0], herd[3]}, "splice": {herd[1]}}[relay]
	}
	for _, e := range herd {
		server, err := s.spawn(ctx, s.Server, onCPU(lastCPU), "iperf3", "--server", "--one-off", "--port", strconv.Itoa(iperfPort))
		if err != nil {
			return err
		}
		if !until(ctx, patience, func() bool { return s.listening(iperfPort) }) {
			return fmt.Errorf("iperf3 does not listen on %d", iperfPort)
		}
		client, err := s.spawn(ctx, s.Client, onCPU(lastCPU), "iperf3", append([]string{"--client", dest(v6, iperfPort).Addr().String(),
			"--port", strconv.Itoa(iperfPort), "--time", "60"}, e.args...)...)
		if err != nil {
			return err
		}
		pass(ctx, 500*time.Millisecond) // slow start
		beside, err := pingPong(conn, length)
		endAll(client, server)
		if err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
		floor := pick(s, 2*time.Millisecond, 300*time.Microsecond) // less is as good: the machine's own jitter is in it
		ratio := max(beside, floor).Seconds() / max(idle, floor).Seconds()
		if relay == forwarded {
			s.note(fmt.Sprintf("%s, %s: p99 ratio", relay, e.name), ratio, "x")
			continue
		}
		s.about(Most, fmt.Sprintf("%s, %s: p99 ratio", relay, e.name), ratio, "x", 25, 3)
		s.note(fmt.Sprintf("%s, %s: p99", relay, e.name), beside.Seconds()*1e3, " ms")
	}
	return nil
}

// pingPong exchanges one byte after the other for a while, a millisecond apart, and
// gives the p99.
func pingPong(conn *net.TCPConn, while time.Duration) (time.Duration, error) {
	_ = conn.SetDeadline(time.Now().Add(while + patience))
	var took []float64
	b := []byte{'x'}
	for end := time.Now().Add(while); time.Now().Before(end); time.Sleep(time.Millisecond) { // the pace itself
		begin := time.Now()
		if _, err := conn.Write(b); err != nil {
			return 0, err
		}
		if _, err := io.ReadFull(conn, b); err != nil {
			return 0, err
		}
		took = append(took, float64(time.Since(begin)))
	}
	return time.Duration(quantile(took, 0.99)), nil
}

// listening tells whether something listens on a TCP port of the server.
func (s *stage) listening(port uint16) bool {
	found := false
	_ = s.Server.Do(func() error {
		for e := range sockets.Here("tcp", "tcp6") {
			found = found || e.State == sockets.Listening && e.Local.Port() == port
		}
		return nil
	})
	return found
}

// endAll ends programs and waits for them.
func endAll(programs ...*exec.Cmd) {
	for _, p := range programs {
		_ = p.Process.Signal(unix.SIGKILL) // it may have ended
		_ = p.Wait()
	}
}
