package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"time"

	"sluice/bench/flood"
)

type floodCmd struct {
	Kind   flood.Kind `arg:"" help:"One of ${enum}." enum:"udp,syn,rst,ack"`
	Target string     `arg:"" help:"Address and port."`
	From   string     `arg:"" help:"Prefix of the sources' addresses."`

	Rate     float64       `help:"Packets per second." default:"25000"`
	Size     int           `help:"Payload, in bytes." default:"64"`
	Duration time.Duration `help:"How long to send." default:"5s"`
}

func (c *floodCmd) Run(ctx context.Context) error {
	spec := flood.Spec{Kind: c.Kind, Rate: c.Rate, Size: c.Size, Duration: c.Duration}
	var err error
	if spec.Target, err = netip.ParseAddrPort(c.Target); err != nil {
		return fmt.Errorf("target %q: want ADDRESS:PORT", c.Target)
	}
	if spec.From, err = netip.ParsePrefix(c.From); err != nil {
		return fmt.Errorf("from %q: want ADDRESS/BITS", c.From)
	}
	result, err := flood.Run(ctx, spec)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}
