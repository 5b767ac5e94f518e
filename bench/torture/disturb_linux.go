package torture

import (
	"context"
	"fmt"
	"net/netip"
	"syscall"
	"time"

	"sluice/bench/lab"
)

// disturbance is something that happens to a gateway now and then.
type disturbance struct {
	name string
	do   func(context.Context) error
}

// lossRules lose one packet of 20 on its way to the server.
const lossRules = `table inet loss {
 chain pre {
  type filter hook prerouting priority raw
  numgen random mod 100 < 5 drop
 }
}`

// disturb lets one disturbance after the other happen until ctx ends, spread over the
// time so that a short soak meets each once, and says how many there were.
func (s *stage) disturb(ctx context.Context, p *sluice, length time.Duration) (n int, err error) {
	list := s.disturbances(p)
	every := min(length/time.Duration(len(list)+2), 10*time.Second)
	for pass(ctx, every); ctx.Err() == nil; pass(ctx, every) {
		d := list[n%len(list)]
		if err := d.do(ctx); err != nil && ctx.Err() == nil {
			return n, fmt.Errorf("%s: %w", d.name, err)
		}
		n++
	}
	// What a disturbance that was cut short left behind.
	clean := context.WithoutCancel(ctx)
	_ = s.Server.Run(clean, "nft", "delete", "table", "inet", "loss") // there may be none
	return n, s.linkUp(clean)
}

func (s *stage) disturbances(p *sluice) []disturbance {
	const while = 700 * time.Millisecond
	flooding := func(send func(context.Context) error) func(context.Context) error {
		return func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, while)
			defer cancel()
			return send(ctx)
		}
	}
	return []disturbance{
		{"reload", func(context.Context) error { p.signal(syscall.SIGHUP); return nil }},
		{"flush", func(ctx context.Context) error { return s.gatewayRun(ctx, "nft flush ruleset") }},
		{"loss", func(ctx context.Context) error {
			if err := s.nft(ctx, s.Server, lossRules); err != nil {
				return err
			}
			pass(ctx, while)
			return s.Server.Run(ctx, "nft", "delete", "table", "inet", "loss")
		}},
		{"link down", func(ctx context.Context) error {
			if err := s.Server.Run(ctx, "ip", "link", "set", lab.WAN, "down"); err != nil {
				return err
			}
			pass(ctx, while/2)
			return s.linkUp(ctx)
		}},
		{"flood", flooding(func(ctx context.Context) error {
			f := spoofer{to: dest(false, servePort), size: 64, rate: floodRate}
			return f.send(ctx, s.Client, 1<<30)
		})},
		{"SYN flood", flooding(segments{dest(false, servePort), flagSYN, floodRate}.sendFrom(s.Client))},
		{"hostile client", flooding(func(ctx context.Context) error {
			return s.Client.Do(func() error {
				hold(ctx, netip.MustParseAddr(hostile4), dest(false, servePort), 1500)
				return nil
			})
		})},
		{"aborts", flooding(func(ctx context.Context) error {
			return s.Client.Do(func() error { connectAll(ctx, netip.MustParseAddr(hostile6), true); return nil })
		})},
	}
}

// linkUp brings the server's link up, with the addresses and routes that its end took.
func (s *stage) linkUp(ctx context.Context) error {
	for _, line := range [][]string{
		{"link", "set", lab.WAN, "up"},
		{"-6", "address", "replace", lab.Server6 + "/64", "dev", lab.WAN, "nodad"},
		{"route", "replace", "default", "via", lab.GatewayWAN4},
		{"-6", "route", "replace", "default", "via", lab.GatewayWAN6},
	} {
		if err := s.Server.Run(ctx, "ip", line...); err != nil {
			return err
		}
	}
	return nil
}

// sendFrom is send for a client.
func (f segments) sendFrom(client *lab.Namespace) func(context.Context) error {
	return func(ctx context.Context) error { return f.send(ctx, client) }
}
