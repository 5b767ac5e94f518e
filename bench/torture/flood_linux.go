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

// floodRate is datagrams or segments a second.
const floodRate = 25_000

// flood floods with datagrams of new sources beside live UDP flows, with and without
// a CPU to spare, and with empty datagrams, SYNs and resets beside a normal client.
func flood(ctx context.Context, s *stage) error {
	if err := s.serve(servePort); err != nil {
		return err
	}
	under := map[string][]string{"spoofed datagrams, sluice on one CPU": onCPU(firstCPU)}
	for _, name := range []string{"spoofed datagrams", "spoofed datagrams, sluice on one CPU"} {
		p, err := s.startAs(ctx, spec{under: under[name], flags: []string{"--udp-timeout=2s", "--udp-query-timeout=2s"}})
		if err != nil {
			return err
		}
		for _, v6 := range pick(s, []bool{false}, []bool{false, true}) {
			if err := s.floodUDP(ctx, name, v6); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		if err := p.stop(ctx); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := s.floodTCP(ctx); err != nil {
		return err
	}
	s.readings = worst(s.readings)
	return nil
}

// floodUDP measures what live flows lose.
func (s *stage) floodUDP(ctx context.Context, name string, v6 bool) error {
	const rate = 2000 // datagrams a second
	length := pick(s, 2500*time.Millisecond, 20*time.Second)
	under, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		f := spoofer{v6: v6, to: dest(v6, servePort), size: 64, rate: floodRate}
		_ = f.send(under, s.Client, 1<<30)
	})
	res, err := load.Run(ctx, load.Spec{Test: load.UDPRR, Target: dest(v6, servePort), Duration: length, Flows: 50, Size: 200,
		Rate: rate, Threads: 1, Enter: s.Client.Do}, nil)
	cancel()
	running.Wait()
	if err != nil {
		return err
	}
	lost := 100 * float64(res.Faults.Lost) / (rate * length.Seconds()) // of those that were due
	s.about(Most, name+": live flows lose", lost, "%", 10, 1)
	return nil
}

// floodTCP measures a normal client beside floods that no session or connection
// should come of.
func (s *stage) floodTCP(ctx context.Context) error {
	p, err := s.start(ctx, "--udp-timeout=2s", "--udp-query-timeout=2s")
	if err != nil {
		return err
	}
	client := normal{from: netip.MustParseAddr(lab.Client4), to: dest(false, servePort), rate: 100}
	length := pick(s, 1500*time.Millisecond, 10*time.Second)
	alone, err := s.measure(ctx, client, length)
	if err != nil {
		return err
	}
	for _, kind := range []struct {
		name string
		send func(context.Context) error
	}{
		{"empty datagrams", func(ctx context.Context) error {
			f := spoofer{to: dest(false, servePort), rate: floodRate}
			return f.send(ctx, s.Client, 1<<30)
		}},
		{"SYNs", func(ctx context.Context) error {
			return segments{dest(false, servePort), flagSYN, floodRate}.send(ctx, s.Client)
		}},
		{"resets", func(ctx context.Context) error {
			return segments{dest(false, servePort), flagRST, floodRate}.send(ctx, s.Client)
		}},
	} {
		under, cancel := context.WithCancel(ctx)
		sent := make(chan error, 1)
		go func() { sent <- kind.send(under) }()
		beside, err := s.measure(ctx, client, length)
		cancel()
		if sendErr := <-sent; err == nil {
			err = sendErr
		}
		if err != nil {
			return fmt.Errorf("%s: %w", kind.name, err)
		}
		s.compare(kind.name, alone, beside)
	}
	return p.stop(ctx)
}
