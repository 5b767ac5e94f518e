package torture

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"sluice/bench/lab"
	"sluice/bench/serve"
)

// Ports of the server.
const (
	servePort = 9000 // package serve, TCP and UDP
	otherPort = 9100 // a figure's own listener
	iperfPort = 5201
	echoPort  = 7 // RFC 862
)

// Ports that sluice listens on.
const (
	tproxyPort   = 12345
	redirectPort = 12346
)

// stage is a figure's lab, with what runs in it. Readings may be added by any
// goroutine; the rest belongs to the figure's own.
type stage struct {
	*lab.Lab
	o       Options
	dir     string // for files
	sluices []*sluice
	servers []*serve.Server
	ends    []func() // undo what else was made

	mu       sync.Mutex // guards readings
	readings []Reading
}

// newStage makes a lab with nothing in it.
func newStage(o Options) (*stage, error) {
	path, err := filepath.Abs(o.Sluice)
	if err != nil {
		return nil, err
	}
	o.Sluice = path
	s := &stage{o: o}
	if s.dir, err = os.MkdirTemp("", "sluice-torture-"); err != nil {
		return nil, err
	}
	if s.Lab, err = lab.New(lab.Options{}); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.dir))
	}
	// No connection of the gateway's own takes a port that sluice listens on: what it
	// leaves in TIME_WAIT would keep the next sluice out.
	if err := s.Gateway.Sysctl("net/ipv4/ip_local_reserved_ports", fmt.Sprintf("%d-%d", tproxyPort, redirectPort)); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// close ends everything on the stage.
func (s *stage) close() error {
	for _, p := range s.sluices {
		p.kill()
	}
	for _, end := range slices.Backward(s.ends) {
		end()
	}
	var errs []error
	for _, server := range s.servers {
		errs = append(errs, server.Close())
	}
	return errors.Join(append(errs, s.Lab.Close(), os.RemoveAll(s.dir))...)
}

// later undoes something when the stage is closed.
func (s *stage) later(end func()) { s.ends = append(s.ends, end) }

// pick is the value for the form that runs.
func pick[T any](s *stage, short, long T) T {
	if s.o.Short {
		return short
	}
	return long
}

// note adds a reading without a target.
func (s *stage) note(what string, value float64, unit string) {
	s.add(Reading{What: what, Value: value, Unit: unit})
}

// atMost adds a reading that holds for both forms.
func (s *stage) atMost(what string, value float64, unit string, target float64) {
	s.add(Reading{What: what, Value: value, Unit: unit, Bound: Most, Target: target})
}

// atLeast is atMost the other way round.
func (s *stage) atLeast(what string, value float64, unit string, target float64) {
	s.add(Reading{What: what, Value: value, Unit: unit, Bound: Least, Target: target})
}

// about adds a statistical reading: the short form's target is wider.
func (s *stage) about(bound, what string, value float64, unit string, short, long float64) {
	r := Reading{What: what, Value: value, Unit: unit, Bound: bound, Target: long, Statistical: true}
	if s.o.Short && short != long {
		r.Target, r.Long = short, &long
	}
	s.add(r)
}

func (s *stage) add(r Reading) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readings = append(s.readings, r.judge())
}

// serve runs a server of package serve on a port of the server, both families.
func (s *stage) serve(port uint16) error {
	return s.Server.Do(func() error {
		server, err := serve.Listen(serve.Options{Listen: serve.Any(port)})
		if err == nil {
			s.servers = append(s.servers, server)
		}
		return err
	})
}

// dest is the server at a port, in either family.
func dest(v6 bool, port uint16) netip.AddrPort {
	if v6 {
		return netip.AddrPortFrom(netip.MustParseAddr(lab.Server6), port)
	}
	return netip.AddrPortFrom(netip.MustParseAddr(lab.Server4), port)
}

// spawn starts a program inside a namespace, under others; it is killed when the stage
// is closed.
func (s *stage) spawn(ctx context.Context, ns *lab.Namespace, under []string, program string, args ...string) (*exec.Cmd, error) {
	all := slices.Concat(under, []string{program}, args)
	cmd := ns.Command(ctx, all[0], all[1:]...)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", program, err)
	}
	s.later(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
	})
	return cmd, nil
}

// pollPause is the time between two looks at a condition.
const pollPause = 5 * time.Millisecond

// until waits for cond, at most for limit, and tells whether it came.
func until(ctx context.Context, limit time.Duration, cond func() bool) bool {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	look := time.NewTicker(pollPause)
	defer look.Stop()
	for !cond() {
		select {
		case <-ctx.Done():
			return false
		case <-deadline.C:
			return cond()
		case <-look.C:
		}
	}
	return true
}

// pass lets time go by, where time is what a figure is about.
func pass(ctx context.Context, d time.Duration) { until(ctx, d, func() bool { return false }) }
