package redir

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"sluice/redir/inbound"
	"sluice/redir/outbound"
	"sluice/redir/portmap"
	"sluice/redir/resolve"
	"sluice/redir/source"
)

func testOptions() Options {
	return Options{
		Inbounds:   []inbound.Spec{{Kind: inbound.TProxy, Tag: "t", Listen: netip.AddrPortFrom(netip.Addr{}, 12345), TCP: true, UDP: true}},
		UDPTimeout: 5 * time.Minute, UDPQueryTimeout: 30 * time.Second, UDPSessions: 65536,
		ConnectTimeout: 10 * time.Second, IdleTimeout: time.Hour, HalfCloseTimeout: time.Minute,
		Clients:  ClientOptions{Prefix: 64},
		PipeSize: 256 << 10, BufferSize: 64 << 10, Batch: 64,
	}
}

func TestValidateNamesWhatIsWrong(t *testing.T) {
	for want, change := range map[string]func(*Options){
		"nothing to listen on":   func(o *Options) { o.Inbounds = nil },
		"the port must be":       func(o *Options) { o.Inbounds[0].Listen = netip.AddrPort{} },
		"no network":             func(o *Options) { o.Inbounds[0].TCP, o.Inbounds[0].UDP = false, false },
		"REDIRECT carries TCP":   func(o *Options) { o.Inbounds[0].Kind = inbound.Redirect },
		"UDP timeout -1s":        func(o *Options) { o.Inbounds[0].UDPTimeout = -time.Second },
		"UDP query timeout -1s":  func(o *Options) { o.Inbounds[0].UDPQueryTimeout = -time.Second },
		"--udp-query-timeout 0s": func(o *Options) { o.UDPQueryTimeout = 0 },
		"--sniff-timeout -1s":    func(o *Options) { o.SniffTimeout = -time.Second },
		"--sniff-timeout 6s":     func(o *Options) { o.SniffTimeout = 6 * time.Second },
		"--udp-timeout 0s":       func(o *Options) { o.UDPTimeout = 0 },
		"--idle-timeout -1s":     func(o *Options) { o.IdleTimeout = -time.Second },
		"leads to sluice's own --control, which": func(o *Options) {
			o.Reserved = []netip.AddrPort{netip.MustParseAddrPort("[::]:9090")}
			o.Inbounds[0].Kind, o.Inbounds[0].Dest = inbound.Direct, resolve.Target{Host: "127.0.0.1", Port: 9090}
		},
		"leads to sluice's own --control": func(o *Options) {
			o.Reserved = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:9090")}
			o.Inbounds[0].Kind, o.Inbounds[0].Dest = inbound.Direct, resolve.Target{Host: "127.0.0.1", Port: 9090}
		},
		"--drain-timeout -1s":      func(o *Options) { o.DrainTimeout = -time.Second },
		"--udp-sessions 0":         func(o *Options) { o.UDPSessions = 0 },
		"--pipe-size 1":            func(o *Options) { o.PipeSize = 1 },
		"--batch 0: must be":       func(o *Options) { o.Batch = 0 },
		"--reactors -1: must be":   func(o *Options) { o.Reactors = -1 },
		"--busy-poll 1s: must be":  func(o *Options) { o.BusyPoll = time.Second },
		"--stream-period 1s: must": func(o *Options) { o.StreamPeriod = time.Second },
		"--buffer-size 12: must":   func(o *Options) { o.BufferSize = 12 },
		"--client-conns -2: must":  func(o *Options) { o.Clients.Conns = -2 },
		"--client-prefix 32: must": func(o *Options) { o.Clients.Prefix = 32 },
		"write it as IPv4": func(o *Options) {
			o.Clients.Exempt = []netip.Prefix{netip.MustParsePrefix("::ffff:10.0.0.0/104")}
		},
		"mark 0x1: does not hold the bits of --mark 0x2, by which": func(o *Options) { o.Path.Mark, o.Inbounds[0].Mark = 2, 1 },
		"source client: REDIRECT cannot carry": func(o *Options) {
			o.Inbounds[0] = inbound.Spec{Kind: inbound.Redirect, Listen: o.Inbounds[0].Listen, TCP: true, Source: source.Source{Kind: source.Client}}
		},
		"both take UDP replies to clients at this port": func(o *Options) {
			o.Path.Source.Kind = source.Client
			o.Inbounds[0].Listen = netip.MustParseAddrPort("10.0.0.1:5")
			o.Inbounds = append(o.Inbounds, o.Inbounds[0])
			o.Inbounds[1].Listen = netip.MustParseAddrPort("10.0.0.2:5")
		},
		"leads nowhere": func(o *Options) { o.Inbounds[0].Kind = inbound.Direct },
		"has a destination of its own": func(o *Options) {
			o.Inbounds[0].Dest = resolve.Target{Host: "10.0.0.5", Port: 80}
		},
		"in a circle": func(o *Options) {
			o.Inbounds = append(o.Inbounds, inbound.Spec{Kind: inbound.Direct, Listen: netip.MustParseAddrPort("10.0.0.1:80"), TCP: true,
				Dest: resolve.Target{Host: "::1", Port: 12345}})
		},
		"--map: tcp port 80 is mapped twice": func(o *Options) {
			o.Maps = []portmap.Rule{{TCP: true, From: 80, To: 81}, {TCP: true, UDP: true, From: 80, To: 82}}
		},
		`outbound "s": mark 0x4: does not hold the bits of --mark 0x2`: func(o *Options) {
			o.Path.Mark = 2
			o.Outbounds = []outbound.Spec{{Kind: outbound.Socks, Tag: "s", Server: resolve.Target{Host: "192.0.2.7", Port: 1080}, Mark: 4}}
		},
		`outbound "d": source client: REDIRECT cannot carry`: func(o *Options) {
			o.Inbounds[0] = inbound.Spec{Kind: inbound.Redirect, Listen: o.Inbounds[0].Listen, TCP: true}
			o.Outbounds = []outbound.Spec{{Kind: outbound.Direct, Tag: "d", Source: source.Source{Kind: source.Client}}}
		},
		`outbound "s": its server 127.0.0.1:12345 is where sluice itself listens`: func(o *Options) {
			o.Outbounds = []outbound.Spec{{Kind: outbound.Socks, Tag: "s", Server: resolve.Target{Host: "127.0.0.1", Port: 12345}}}
		},
		`outbound "": tag: empty`:  func(o *Options) { o.Outbounds = make([]outbound.Spec, 1) },
		"--max-conns -5: must be ": func(o *Options) { o.MaxConns = -5 },
	} {
		o := testOptions()
		change(&o)
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
	o := testOptions()
	if err := o.Validate(); err != nil {
		t.Error(err)
	}
}
