package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/term"

	"sluice/bench/load"
)

type loadCmd struct {
	Test   load.Test `arg:"" help:"tcp-stream: bytes; tcp-rr: requests on kept connections; tcp-crr: a connection for each request; tcp-idle: connections that are held and still work after; udp-rr: echoed datagrams, a window for each flow; udp-stream: datagrams at a rate; udp-churn: a new source port for each echoed datagram; udp-flood: datagrams as fast as they go." enum:"tcp-stream,tcp-rr,tcp-crr,tcp-idle,udp-rr,udp-stream,udp-churn,udp-flood"`
	Target string    `arg:"" help:"Address and port of a sluice-bench server."`

	Duration  time.Duration  `help:"How long to send." default:"5s" group:"Load"`
	Flows     int            `help:"Connections, streams, or UDP sockets." placeholder:"N" group:"Load"`
	Size      int            `help:"Size of a request, a datagram, or a stream's frames, in bytes." placeholder:"N" group:"Load"`
	Reply     int            `help:"tcp-rr, tcp-crr: size of a response, in bytes." placeholder:"N" group:"Load"`
	Window    int            `help:"udp-rr: datagrams in flight for each flow." placeholder:"N" group:"Load"`
	Rate      float64        `help:"Units per second over all flows (open loop)." placeholder:"N" group:"Load"`
	Think     time.Duration  `help:"tcp-rr: pause after each response." group:"Load"`
	Direction load.Direction `help:"Of a stream: up, down or both." placeholder:"WAY" enum:",up,down,both" default:"" group:"Load"`
	Single    bool           `help:"UDP: datagram by datagram, no UDP_SEGMENT." group:"Load"`
	From      string         `help:"Take source addresses from this prefix in turn." placeholder:"PREFIX" group:"Load"`
	Threads   int            `help:"UDP: OS threads (default: one per CPU)." placeholder:"N" group:"Load"`
	Timeout   time.Duration  `help:"After which an answer counts as lost." default:"1s" group:"Load"`

	Ceiling string `help:"What the tool reaches without a proxy: off, loopback (a server in this process), or the address and port of a server that is reached directly." default:"loopback" placeholder:"ADDR" group:"Report"`
	Expect  string `help:"Fail unless these hold, as in p99<5ms,loss=0,rate>=10k." placeholder:"LIST" group:"Report"`
	JSON    bool   `help:"Write the result as JSON." group:"Report"`
}

// errFailed ends the program with status 1; the report has said why.
var errFailed = errors.New("the run failed")

// Validate refuses what no load can be made of, before anything is sent: a bad command
// line exits with 2, and 1 is kept for a run that failed.
func (c *loadCmd) Validate() error {
	if c.Target == "" {
		return nil // the parser says that it is missing
	}
	_, target := c.spec()
	_, expect := load.ParseExpect(c.Expect)
	_, ceiling := c.direct()
	return errors.Join(target, expect, ceiling)
}

func (c *loadCmd) Run(ctx context.Context) error {
	spec, err := c.spec()
	if err != nil {
		return err
	}
	expect, err := load.ParseExpect(c.Expect)
	if err != nil {
		return err
	}
	var ceiling *load.Ceiling
	if c.Ceiling != "off" {
		if ceiling, err = c.ceiling(ctx, spec); err != nil {
			return fmt.Errorf("ceiling: %w", err)
		}
	}
	var progress load.Progress
	stop := showProgress(&progress, spec.Duration)
	res, err := load.Run(ctx, spec, &progress)
	stop()
	if err != nil {
		return err
	}
	res.Ceiling = ceiling
	res.Judge(expect)
	if c.JSON {
		err = json.NewEncoder(os.Stdout).Encode(res)
	} else {
		err = res.WriteText(os.Stdout)
	}
	if err == nil && !res.OK {
		err = errFailed
	}
	return err
}

func (c *loadCmd) spec() (load.Spec, error) {
	s := load.Spec{Test: c.Test, Duration: c.Duration, Flows: c.Flows, Size: c.Size, Reply: c.Reply, Window: c.Window,
		Rate: c.Rate, Think: c.Think, Direction: c.Direction, Single: c.Single, Threads: c.Threads, Timeout: c.Timeout}
	var err error
	if s.Target, err = netip.ParseAddrPort(c.Target); err != nil {
		return s, badTarget("target", c.Target)
	}
	if c.From != "" {
		if s.From, err = netip.ParsePrefix(c.From); err != nil {
			return s, badPrefix(c.From)
		}
	}
	return s.Complete()
}

// badTarget refuses a text that is no address with a port.
func badTarget(what, text string) error {
	return fmt.Errorf("%s %q: want an IP address and a port, as 10.77.2.2:9000 or [fd77:2::2]:9000", what, text)
}

// badPrefix refuses a text that is no prefix.
func badPrefix(text string) error {
	return fmt.Errorf("from %q: want a prefix, as 10.128.0.0/12 or fd00::/64", text)
}

// direct is the server without a proxy; none for loopback and for off.
func (c *loadCmd) direct() (direct netip.AddrPort, err error) {
	if c.Ceiling == "loopback" || c.Ceiling == "off" {
		return direct, nil
	}
	if direct, err = netip.ParseAddrPort(c.Ceiling); err != nil {
		err = fmt.Errorf("ceiling %q: want off, loopback or ADDRESS:PORT", c.Ceiling)
	}
	return direct, err
}

func (c *loadCmd) ceiling(ctx context.Context, spec load.Spec) (*load.Ceiling, error) {
	direct, err := c.direct()
	if err != nil {
		return nil, err
	}
	return load.Beside(ctx, spec, direct)
}

// showProgress shows the load's progress on a terminal until the returned function
// is called.
func showProgress(p *load.Progress, whole time.Duration) (stop func()) {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		begin, tick := time.Now(), time.NewTicker(time.Second)
		defer tick.Stop()
		for last := uint64(0); ; {
			select {
			case <-tick.C:
				units := p.Units.Load()
				fmt.Fprintf(os.Stderr, "\r\x1b[K%v of %v  %d/s  faults %d",
					time.Since(begin).Round(time.Second), whole, units-last, p.Faults.Load())
				last = units
			case <-done:
				fmt.Fprint(os.Stderr, "\r\x1b[K")
				return
			}
		}
	}()
	return func() { close(done); <-ended }
}
