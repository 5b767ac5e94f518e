package compare

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"sluice/bench/load"
)

// outcome is what the load side saw of one sample.
type outcome struct {
	units   float64
	seconds float64
	latency map[Metric]float64 // seconds
	events  float64            // behind the latencies
	lost    float64            // share of what was sent
	fault   string
}

// measure takes one sample: it puts the work's load on the peer's port and looks
// what that cost.
func (r *rig) measure(ctx context.Context, w Work, p *peer, d time.Duration) (Sample, error) {
	s := Sample{Values: map[Metric]float64{}}
	if err := r.setCongestion(w.Congestion); err != nil {
		return s, err
	}
	var threads map[int]time.Duration
	if p.proc != nil {
		if p.proc.ended() {
			return s, fmt.Errorf("%s ended: %s", p.Name, p.proc.said)
		}
		threads = threadTimes(p.proc.pid())
	}
	busy, err := machineTime()
	if err != nil {
		return s, err
	}
	progress := new(load.Progress)
	look := r.lookAtMemory(ctx, w, p, d, progress)
	o, err := r.load(ctx, w, p, d, progress)
	held, lookErr := look()
	if err != nil {
		return s, err
	}
	after, err := machineTime()
	if err != nil {
		return s, err
	}
	s.Fault = o.fault
	if o.units == 0 {
		s.Fault = "nothing came through; " + o.fault
		return s, nil
	}
	s.Values[MachineCPU] = (after - busy).Seconds() / o.units
	if p.proc != nil {
		s.Values[ProxyCPU] = spent(threads, threadTimes(p.proc.pid())).Seconds() / o.units
		if w.load == newSources { // memory after
			held, lookErr = readMemory(p.proc.pid())
		}
		if lookErr != nil {
			return s, lookErr
		}
		s.Values[RSS], s.Values[PSS], s.Values[FDs] = float64(held.rss), float64(held.pss), float64(held.fds)
	}
	s.addOutcome(w, o)
	return s, nil
}

// addOutcome adds the rate, the share lost, and the percentiles that rest on at
// least one event beyond them.
func (s *Sample) addOutcome(w Work, o outcome) {
	if w.load != idle {
		s.Values[Rate] = o.units / o.seconds
		s.Values[Lost] = o.lost
	}
	for _, p := range Percentiles() {
		if o.events*(100-p.Percent) >= 100 {
			s.Values[p.Metric] = o.latency[p.Metric]
		}
	}
}

func (r *rig) load(ctx context.Context, w Work, p *peer, d time.Duration, progress *load.Progress) (outcome, error) {
	switch w.load {
	case iperf:
		return r.runIperf(ctx, w, p, d)
	case wrkKeep, wrkClose:
		return r.runWrk(ctx, w, p, d)
	case idle:
		return r.runIdle(ctx, w, p, d, progress)
	}
	return r.runUDP(ctx, w, p, d)
}

// lookAtMemory reads the peer's memory once, when most of the load is over: of
// idle connections when most of the time is over that they are held. The function
// that it returns waits for the reading.
func (r *rig) lookAtMemory(ctx context.Context, w Work, p *peer, d time.Duration, progress *load.Progress) func() (memory, error) {
	if p.proc == nil || w.load == newSources {
		return func() (memory, error) { return memory{}, nil }
	}
	type reading struct {
		memory
		err error
	}
	result := make(chan reading, 1)
	over, cancel := context.WithCancel(ctx)
	go func() {
		for w.load == idle && progress.Units.Load() < uint64(w.flows) && pause(over, pollEvery) {
		}
		pause(over, d*7/10) // cut short where the load ends early
		m, err := readMemory(p.proc.pid())
		result <- reading{m, err}
	}()
	return func() (memory, error) {
		cancel()
		got := <-result
		return got.memory, got.err
	}
}

// pause waits; false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// clientGrace is how much longer than its load a client program may take.
const clientGrace = 10 * time.Second

// client runs a load program in the client's namespace to its end and returns what
// it wrote, also where it failed.
func (p *peer) client(ctx context.Context, d time.Duration, program string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, d+clientGrace)
	defer cancel()
	cmd := p.lab.Client.Command(ctx, program, args...)
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = stopWait
	var said tail
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("%s: %w: %s %s", filepath.Base(program), err, &said, bytes.TrimSpace(out[max(0, len(out)-saidMax):]))
	}
	return out, nil
}

// seconds rounds a duration up, for programs that count whole ones.
func seconds(d time.Duration) int { return max(1, int((d+time.Second-1)/time.Second)) }

// lastLine is the last line that is not empty.
func lastLine(b []byte) []byte {
	b = bytes.TrimSpace(b)
	return b[bytes.LastIndexByte(b, '\n')+1:]
}

// missing lists the programs of the load side that are not installed.
func missing(works []Work) []string {
	need := map[string]bool{"nft": true, "ip": true, "nsenter": true, "nginx": true}
	for _, w := range works {
		need["iperf3"] = need["iperf3"] || w.load == iperf
		need["wrk"] = need["wrk"] || w.load == wrkKeep || w.load == wrkClose
	}
	var list []string
	for program, needed := range need {
		if _, err := exec.LookPath(program); needed && err != nil {
			list = append(list, program)
		}
	}
	slices.Sort(list)
	return list
}
