package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"sluice/bench/serve"
)

type serveCmd struct {
	Listen  []string `help:"Address and port for TCP and UDP; :PORT is both families." default:":9000" placeholder:"ADDR"`
	Threads int      `help:"UDP sockets per address, each with a thread." default:"1"`
}

// Validate refuses what nobody can listen on.
func (c *serveCmd) Validate() error {
	_, err := parseListens(c.Listen)
	return err
}

func (c *serveCmd) Run(ctx context.Context) error {
	listen, err := parseListens(c.Listen)
	if err != nil {
		return err
	}
	s, err := serve.Listen(serve.Options{Listen: listen, Threads: c.Threads})
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "ready on", s.Addrs)
	<-ctx.Done()
	return s.Close()
}

// parseListens reads addresses, each as parseListen does.
func parseListens(texts []string) ([]netip.AddrPort, error) {
	var all []netip.AddrPort
	for _, text := range texts {
		addrs, err := parseListen(text)
		if err != nil {
			return nil, err
		}
		all = append(all, addrs...)
	}
	return all, nil
}

// parseListen reads ":9000", "10.0.0.1:9000" or "[::1]:9000".
func parseListen(text string) ([]netip.AddrPort, error) {
	if digits, ok := strings.CutPrefix(text, ":"); ok {
		port, err := strconv.ParseUint(digits, 10, 16)
		if err != nil || port == 0 {
			return nil, fmt.Errorf("listen %q: not a port", text)
		}
		return serve.Any(uint16(port)), nil
	}
	a, err := netip.ParseAddrPort(text)
	if err != nil {
		return nil, fmt.Errorf("listen %q: want :PORT or ADDRESS:PORT", text)
	}
	return []netip.AddrPort{a}, nil
}
