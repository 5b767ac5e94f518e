package main

import (
	"context"
	"os"

	"sluice/bench/demo"
	"sluice/bench/lab"
)

type demoCmd struct {
	Sluice string `help:"The sluice program." default:"bin/sluice" placeholder:"PATH"`
	Direct bool   `help:"Plain forwarding: no proxy, no rules."`
	Rules  string `help:"What installs the divert rules: ${enum}." enum:"iptables,nft" default:"iptables"`
}

func (c *demoCmd) Run(ctx context.Context) error {
	if err := lab.Enter(); err != nil {
		return err
	}
	return demo.Run(ctx, demo.Options{Sluice: c.Sluice, Direct: c.Direct, NFT: c.Rules == "nft"}, os.Stdout)
}
