package torture

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"sluice/bench/lab"
	"sluice/bench/load"
)

// Times of a soak.
const (
	shortSoak = 20 * time.Second
	longSoak  = 30 * time.Minute
	// loadPiece is one load, and gives one p50 and one p99.
	loadPiece = 2 * time.Second
	// soakLook is the time between two looks at the process.
	soakLook = 500 * time.Millisecond
	// slopePer is what a slope is told by.
	slopePer = 10 * time.Minute
)

// soakTime is how long the soak lasts.
func (o Options) soakTime() time.Duration {
	switch {
	case o.Minutes > 0:
		return time.Duration(o.Minutes * float64(time.Minute))
	case o.Short:
		return shortSoak
	}
	return longSoak
}

// soaked is what a soak read. Any goroutine.
type soaked struct {
	mu            sync.Mutex // guards all below
	begin         time.Time
	rss, fds      series
	p50, p99      series // in microseconds
	units, faults uint64
	grave         []string // corrupt, mixed up, from a wrong source, short
}

// soak mixes loads with reloads, faults and floods, and fits slopes through what the
// process holds and how fast it answers.
func soak(ctx context.Context, s *stage) error {
	if err := s.serve(servePort); err != nil {
		return err
	}
	if err := s.countPast(ctx); err != nil {
		return err
	}
	config, err := s.writeFile("soak.json", "{}")
	if err != nil {
		return err
	}
	p, err := s.start(ctx, "--config="+config, "--udp-timeout=5s", "--udp-query-timeout=5s", "--connect-timeout=2s")
	if err != nil {
		return err
	}
	k := &soaked{begin: time.Now()}
	length := s.o.soakTime()
	under, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	var running sync.WaitGroup
	running.Go(func() { k.look(under, p) })
	for _, spec := range soakLoads(s) {
		running.Go(func() { k.load(under, spec) })
	}
	disturbances, err := s.disturb(under, p, length)
	running.Wait()
	if err != nil {
		return err
	}
	if p.ended() {
		return fmt.Errorf("sluice ended: %w: %s", p.exit, last(p.log))
	}
	past, err := s.past(ctx)
	if err != nil {
		return err
	}
	k.read(s, length)
	s.note("disturbances", float64(disturbances), "")
	s.atMost("packets past", past, "", 0)
	over, err := p.quiet(ctx, 15*time.Second, keptFDs)
	if err != nil {
		return err
	}
	s.atMost("fds left", float64(over), "", 0)
	return p.stop(ctx)
}

// soakLoads are those that run all the time; the first one's latency is followed.
func soakLoads(s *stage) []load.Spec {
	enter := s.Client.Do
	return []load.Spec{
		{Test: load.TCPRR, Target: dest(false, servePort), Flows: 20, Rate: 400, Enter: enter},
		{Test: load.TCPCRR, Target: dest(true, servePort), Flows: 20, Rate: 100, From: netip.MustParsePrefix(lab.ClientNet6), Enter: enter},
		{Test: load.UDPRR, Target: dest(true, servePort), Flows: 50, Rate: 400, Size: 200, Threads: 1, Enter: enter},
		{Test: load.UDPChurn, Target: dest(false, servePort), Flows: 16, Rate: 100, Threads: 1, Enter: enter},
		{Test: load.TCPStream, Target: dest(false, servePort), Direction: load.Both, Rate: 0, Enter: enter},
	}
}

// load runs pieces of a load one after the other; a stream a tenth of the time.
func (k *soaked) load(ctx context.Context, spec load.Spec) {
	spec.Duration = loadPiece
	if spec.Test == load.TCPStream {
		spec.Duration /= 10
	}
	for ctx.Err() == nil {
		begin := time.Since(k.begin)
		res, err := load.Run(ctx, spec, nil)
		if ctx.Err() != nil {
			return // cut short
		}
		k.mu.Lock()
		if err == nil {
			if spec.Test != load.TCPStream { // whose units are bytes
				k.units += res.Units
			}
			f := res.Faults
			k.faults += f.Lost + f.Errors
			if bad := f.Corrupt + f.Mixed + f.WrongSource; bad > 0 {
				k.grave = append(k.grave, fmt.Sprint(res.Failures))
			}
			if spec.Test == load.TCPRR && res.Latency != nil {
				k.p50 = append(k.p50, point{begin, res.Latency.P50US})
				k.p99 = append(k.p99, point{begin, res.Latency.P99US})
			}
		}
		k.mu.Unlock()
		if spec.Test == load.TCPStream || err != nil {
			pass(ctx, 9*spec.Duration)
		}
	}
}

// look follows what the process holds.
func (k *soaked) look(ctx context.Context, p *sluice) {
	for ctx.Err() == nil {
		at := time.Since(k.begin)
		rss, fds := p.rss(), float64(p.FDs())
		k.mu.Lock()
		k.rss = append(k.rss, point{at, rss})
		k.fds = append(k.fds, point{at, fds})
		k.mu.Unlock()
		pass(ctx, soakLook)
	}
}

// read adds the slopes. A short soak is too short for one in ten minutes: it tells
// the change within itself, with a wide target.
func (k *soaked) read(s *stage, length time.Duration) {
	const warmUp, windows = 5, 20 // shares of the length
	for _, r := range []struct {
		what string
		series
		short float64
	}{{"RSS", k.rss, 100}, {"fds", k.fds, 1000}, {"p50", k.p50, 200}, {"p99", k.p99, 1000}} {
		points := r.after(length / warmUp).windows(length / windows)
		if length < slopePer {
			s.about(Most, r.what+" grown", 100*points.slope(length), "%", r.short, r.short)
		} else {
			s.atMost(r.what+" in ten minutes", 100*points.slope(slopePer), "%", 1)
		}
	}
	s.note("RSS", k.rss[len(k.rss)-1].value, " MB")
	s.note("units", float64(k.units), "")
	s.note("lost or failed by the faults", float64(k.faults), "")
	s.atMost("payloads corrupt, mixed up or from a wrong source", float64(len(k.grave)), "", 0)
	s.atLeast("units a second", float64(k.units)/length.Seconds(), "", 100)
}
