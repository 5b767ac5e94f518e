package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"sluice/bench/socks"
)

type socksCmd struct {
	Listen  []string `help:"Address and port for SOCKS5; :PORT is both families." default:":1080" placeholder:"ADDR"`
	Relay   []string `help:"Address and port that leads to another without SOCKS5 (repeatable)." sep:"none" placeholder:"ADDR=DEST"`
	Answer  []string `help:"Destination that the server plays itself, as a web server of one page (repeatable)." placeholder:"ADDRESS:PORT"`
	Workers int      `help:"Threads; 0: one for each CPU." default:"0"`
}

// Validate refuses what no server can be made of.
func (c *socksCmd) Validate() error {
	_, err := c.options()
	return err
}

func (c *socksCmd) options() (o socks.Options, err error) {
	if o.Workers = c.Workers; o.Workers < 0 {
		return o, fmt.Errorf("--workers %d must not be negative", o.Workers)
	}
	if o.Listen, err = parseListens(c.Listen); err != nil {
		return o, err
	}
	for _, text := range c.Relay {
		listen, dest, _ := strings.Cut(text, "=")
		addrs, err := parseListen(listen)
		if err != nil {
			return o, err
		}
		to, err := netip.ParseAddrPort(dest)
		if err != nil {
			return o, fmt.Errorf("relay %q: want ADDR=ADDRESS:PORT", text)
		}
		for _, at := range addrs {
			o.Relays = append(o.Relays, socks.Relay{Listen: at, Dest: to})
		}
	}
	for _, text := range c.Answer {
		at, err := netip.ParseAddrPort(text)
		if err != nil {
			return o, fmt.Errorf("answer %q: want ADDRESS:PORT", text)
		}
		o.Answers = append(o.Answers, at)
	}
	return o, nil
}

func (c *socksCmd) Run(ctx context.Context) error {
	o, err := c.options()
	if err != nil {
		return err
	}
	s, err := socks.Listen(o)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "ready")
	<-ctx.Done()
	return s.Close()
}
