package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/rs/zerolog"

	"sluice/redir"
	"sluice/redir/domain"
	"sluice/redir/inbound"
	"sluice/redir/neighbour"
	"sluice/redir/route"
)

// routeCmd is `sluice route`.
type routeCmd struct {
	Explain explainCmd `cmd:"" help:"Say which rule of a configuration file decides where a flow goes, and why."`
}

// explainCmd is `sluice route explain`.
type explainCmd struct {
	Client  flowAddr `arg:"" help:"The client, as 10.0.0.7, 10.0.0.7:40000 or [fd00::7]:40000; without a port, one from 49152 on."`
	Dest    flowAddr `arg:"" help:"Where it wants to go, as 203.0.113.5:443 or [2001:db8::5]:443; without a port, 443."`
	Domain  string   `placeholder:"NAME" help:"The name that the flow's first bytes tell (TLS, HTTP, QUIC)."`
	Network string   `each:"tcp: a connection; udp: a session" default:"tcp" enum:"tcp,udp" help:"tcp or udp."`
	Inbound string   `complete:"inbounds" placeholder:"TAG" help:"The inbound by which it comes; else the first that carries the network."`
	Config  []string `env:"SLUICE_CONFIG" placeholder:"PATH" help:"The configuration file, or a directory of them (repeatable); - for standard input. Else those that sluice run reads."`
	JSON    bool     `name:"json" help:"Say it in JSON."`
}

// flowAddr is an address, and a port that may be left out.
type flowAddr struct {
	addr netip.Addr
	port uint16 // 0: none
}

func (a *flowAddr) UnmarshalText(text []byte) error {
	if ap, err := netip.ParseAddrPort(string(text)); err == nil && ap.Addr().Zone() == "" {
		*a = flowAddr{ap.Addr().Unmap(), ap.Port()}
		return nil
	}
	addr, err := netip.ParseAddr(strings.Trim(string(text), "[]"))
	if err != nil || addr.Zone() != "" {
		return fmt.Errorf("%q: want an address, or one and a port, as 203.0.113.5:443 or [2001:db8::5]:443; a name goes into --domain", text)
	}
	*a = flowAddr{addr: addr.Unmap()}
	return nil
}

// Ports that are taken where none is given: the first dynamic one (RFC 6335 section
// 6) and that of HTTPS.
const clientsPort, destsPort = 49152, 443

// Run explains as `sluice run --config PATH` would decide, without other flags and
// without the environment.
func (cmd *explainCmd) Run(finder finder) error {
	run, err := parseFiles(cmd.Config, finder)
	if err != nil {
		return err
	}
	if err := run.validate(); err != nil {
		return run.named(err)
	}
	options := run.options(zerolog.Nop())
	f, err := cmd.flow(&options)
	if err != nil {
		return err
	}
	var neighbours *neighbour.Table // as this machine has them now
	if options.Route.NeedsNeighbours() {
		if neighbours, err = neighbour.New(func(error) {}); err != nil {
			return err
		}
		defer neighbours.Close()
	}
	table, _, err := options.Table(nil, neighbours)
	if err != nil {
		return run.named(err)
	}
	e := explained{flow: f, options: &options, Explanation: table.Explain(f)}
	if nameless := *f; e.NeedsName {
		nameless.Named = true
		e.nameless = table.Decide(&nameless).Rule
	}
	if cmd.JSON {
		return e.writeJSON(os.Stdout)
	}
	return e.write(os.Stdout)
}

// flow is what is asked about.
func (cmd *explainCmd) flow(o *redir.Options) (*route.Flow, error) {
	if cmd.Client.addr.Is4() != cmd.Dest.addr.Is4() {
		return nil, fmt.Errorf("client %v and destination %v: want two of one family", cmd.Client.addr, cmd.Dest.addr)
	}
	f := &route.Flow{
		Network: route.TCP, Name: strings.ToLower(strings.TrimSuffix(cmd.Domain, ".")), Named: cmd.Domain != "",
		Client: netip.AddrPortFrom(cmd.Client.addr, cmp.Or(cmd.Client.port, clientsPort)),
		Dest:   netip.AddrPortFrom(cmd.Dest.addr, cmp.Or(cmd.Dest.port, destsPort)),
	}
	if cmd.Network == "udp" {
		f.Network = route.UDP
	}
	if cmd.Domain != "" {
		if err := new(domain.Builder).AddExact(cmd.Domain); err != nil {
			return nil, fmt.Errorf("--domain: %w", err)
		}
	}
	i := slices.IndexFunc(o.Inbounds, func(in inbound.Spec) bool {
		carries := f.Network == route.TCP && in.TCP || f.Network == route.UDP && in.UDP
		return carries && (cmd.Inbound == "" || in.Tag == cmd.Inbound)
	})
	if i < 0 && cmd.Inbound != "" {
		return nil, fmt.Errorf("--inbound %s: no inbound of the file has this tag and carries %s", cmd.Inbound, cmd.Network)
	} else if i < 0 {
		return nil, errors.New("no inbound of the file carries " + cmd.Network)
	}
	f.Inbound = o.Inbounds[i].Tag
	return f, nil
}
