package mice

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"sluice/bench/lab"
	"sluice/bench/load"
)

const (
	// startTime is how long iperf3's server is waited for.
	startTime = 5 * time.Second
	// startLook is the pause between two tries.
	startLook = 20 * time.Millisecond
)

// Streams is n TCP streams by iperf3, through the lab to an address of its server on
// which nothing listens yet. flags are iperf3's: --reverse, --congestion.
func Streams(l *lab.Lab, to netip.AddrPort, n int, flags ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		port := strconv.Itoa(int(to.Port()))
		server := l.Server.Command(ctx, "iperf3", "--server", "--port", port)
		if err := server.Start(); err != nil {
			return fmt.Errorf("iperf3 server: %w", err)
		}
		defer func() { _ = server.Wait() }() // it ends with the context
		args := append([]string{"--client", to.Addr().String(), "--port", port, "--time", "3600", "--parallel", strconv.Itoa(n)}, flags...)
		for began := time.Now(); ; {
			var said bytes.Buffer
			client := l.Client.Command(ctx, "iperf3", args...)
			client.Stdout, client.Stderr = &said, &said
			err := client.Run()
			switch {
			case ctx.Err() != nil:
				return nil
			case time.Since(began) > startTime:
				return fmt.Errorf("iperf3 client: %v: %s", err, said.Bytes())
			}
			time.Sleep(startLook)
		}
	}
}

// mostTime bounds elephants that nobody ends.
const mostTime = time.Minute

// Datagrams is UDP echoed as fast as it goes by a server of package serve: n flows
// of many datagrams in flight, sent in runs (UDP_SEGMENT).
func Datagrams(l *lab.Lab, to netip.AddrPort, n int) func(context.Context) error {
	return func(ctx context.Context) error {
		spec := load.Spec{Test: load.UDPRR, Target: to, Duration: mostTime, Flows: n, Enter: l.Client.Do}
		_, err := load.Run(ctx, spec, nil)
		return err
	}
}
