package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os/exec"
	"time"

	"sluice/bench/lab"
	"sluice/bench/socks"
)

// Ports of the gateway and of the server.
const (
	tproxyListen   = 12345
	redirectListen = 12346
	redirectPort   = 8081
	tproxyPort     = 8082
	socksListen    = 1080
)

// Destinations that sluice itself dials; a SOCKS5 server in the server dials all else.
const (
	direct4 = "198.18.0.0/16"
	direct6 = "2001:2::/64"
)

// flowWait bounds one flow of the demonstration.
const flowWait = 15 * time.Second

// Options choose what carries the traffic.
type Options struct {
	Sluice string // path of the sluice program
	Direct bool   // no proxy and no rules: plain forwarding
	NFT    bool   // nftables rules in place of iptables
}

// Row is what happened to one flow.
type Row struct {
	Way   string         // "REDIRECT tcp"
	Asked netip.AddrPort // destination that the client asked for
	Peer  netip.AddrPort // peer that the server saw
	Bore  netip.AddrPort // source that the reply bore
	Bytes int            // payload that went there and came back
	Err   error          // nil: all is right
}

// ErrWrong is returned by Run when at least one flow went wrong.
var ErrWrong = errors.New("not every flow came through as it should")

// Run makes the lab, sends every flow, writes the table to w and removes
// everything, also when ctx ends early.
func Run(ctx context.Context, o Options, w io.Writer) (err error) {
	if err := o.check(); err != nil {
		return err
	}
	l, err := lab.New(lab.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if !o.Direct {
		if err := o.divert(l); err != nil {
			return err
		}
		upstream, err := socks.Listen(socks.Options{Listen: []netip.AddrPort{socksAt()}, Workers: 1, Enter: l.Server.Do})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, upstream.Close()) }()
		proxy, err := startSluice(ctx, l, o.Sluice)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, proxy.stop()) }()
	}
	rows := o.flows(ctx, l)
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("interrupted: %w", err)
	}
	if err := writeTable(w, rows); err != nil {
		return err
	}
	for _, r := range rows {
		if r.Err != nil {
			return ErrWrong
		}
	}
	return nil
}

// check looks for every program before anything is made.
func (o Options) check() error {
	programs := []string{"nsenter"}
	switch {
	case o.Direct:
	case o.NFT:
		programs = append(programs, "nft")
	default:
		programs = append(programs, "iptables", "ip6tables")
	}
	var missing []error
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			missing = append(missing, lab.MissingProgram(p))
		}
	}
	if !o.Direct {
		if _, err := exec.LookPath(o.Sluice); err != nil {
			missing = append(missing, fmt.Errorf("sluice program: %w; build it with: go build -o bin/ ./cmd/...", err))
		}
	}
	return errors.Join(missing...)
}

// socksAt is where the SOCKS5 server listens.
func socksAt() netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(lab.Server4), socksListen)
}

func (o Options) divert(l *lab.Lab) error {
	if o.NFT {
		return errors.Join(l.RedirectNFT(redirectListen, redirectPort), l.TProxyNFT(tproxyListen, tproxyPort))
	}
	return errors.Join(l.Redirect(redirectListen, redirectPort), l.TProxy(tproxyListen, tproxyPort))
}

// flows sends one flow for each way, protocol and address family.
func (o Options) flows(ctx context.Context, l *lab.Lab) []Row {
	peers := [2]string{lab.GatewayWAN4, lab.GatewayWAN6}
	dests, routed := [2]string{"198.18.5.80", "2001:2::580"}, [2]string{"198.19.5.80", "2001:2:0:1::580"}
	ways := []struct {
		name         string
		port         uint16
		send         func(context.Context, *lab.Lab, netip.AddrPort) Row
		dests, peers [2]string // IPv4, IPv6
	}{
		{"REDIRECT tcp", redirectPort, sendTCP, dests, peers}, {"TPROXY tcp", tproxyPort, sendTCP, dests, peers},
		{"TPROXY udp", tproxyPort, sendUDP, dests, peers},
		// To an IPv4 address of its own a machine connects from that address.
		{"SOCKS5 tcp", tproxyPort, sendTCP, routed, [2]string{routed[0], lab.Server6}},
	}
	if o.Direct {
		ways = ways[1:3]
		ways[0].name, ways[1].name = "forwarding tcp", "forwarding udp"
		ways[0].peers = [2]string{lab.Client4, lab.Client6}
		ways[1].peers = ways[0].peers
	}
	var rows []Row
	for _, way := range ways {
		for i, dest := range way.dests {
			ctx, cancel := context.WithTimeout(ctx, flowWait)
			row := way.send(ctx, l, netip.AddrPortFrom(netip.MustParseAddr(dest), way.port))
			cancel()
			row.Way = way.name
			if row.Err == nil {
				row.Err = row.judge(netip.MustParseAddr(way.peers[i]))
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// judge checks the addresses of a flow whose payload was right.
func (r Row) judge(peer netip.Addr) error {
	if r.Bore != r.Asked {
		return errors.New("reply from another source")
	}
	if r.Peer.Addr() != peer {
		return fmt.Errorf("server's peer is not %s: it went another way", peer)
	}
	return nil
}
