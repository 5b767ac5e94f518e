package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"sluice/bench/flood"
)

type floodCmd struct {
	Kind   flood.Kind `arg:"" help:"udp: datagrams; syn: segments that open connections; rst: resets, ack: segments of connections that are not there." enum:"udp,syn,rst,ack"`
	Target string     `arg:"" help:"Address and port."`
	From   string     `arg:"" help:"Prefix of the sources' addresses."`

	Rate     float64       `help:"Packets per second." default:"25000"`
	Size     int           `help:"Payload, in bytes." default:"64"`
	Duration time.Duration `help:"How long to send." default:"5s"`
}

// Validate refuses what no flood can be made of.
func (c *floodCmd) Validate() error {
	if c.Target == "" || c.From == "" {
		return nil // the parser says that they are missing
	}
	_, err := c.spec()
	return err
}

func (c *floodCmd) spec() (spec flood.Spec, err error) {
	spec = flood.Spec{Kind: c.Kind, Rate: c.Rate, Size: c.Size, Duration: c.Duration}
	if spec.Target, err = netip.ParseAddrPort(c.Target); err != nil {
		return spec, badTarget("target", c.Target)
	}
	if spec.From, err = netip.ParsePrefix(c.From); err != nil {
		return spec, badPrefix(c.From)
	}
	return spec, spec.Check()
}

func (c *floodCmd) Run(ctx context.Context) error {
	spec, err := c.spec()
	if err != nil {
		return err
	}
	result, err := flood.Run(ctx, spec)
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("%w; packets from sources that are not one's own need CAP_NET_RAW: run it as root", err)
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}
