package main

import (
	"errors"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/alecthomas/kong"
	"github.com/rs/zerolog"

	"sluice/cmd/sluice/control"
	"sluice/cmd/sluice/handover"
	"sluice/cmd/sluice/logging"
	"sluice/cmd/sluice/metrics"
	"sluice/redir"
	"sluice/redir/config"
	"sluice/redir/inbound"
	"sluice/redir/portmap"
	"sluice/redir/proxyproto"
	"sluice/redir/rules"
	"sluice/redir/shape"
	"sluice/redir/size"
	"sluice/redir/source"
	"sluice/redir/upstream"
	"sluice/splice"
)

// Each flag is also an environment variable (SLUICE_MARK), but for those with
// env:"-", and a key in the file (mark), but for those with file:"-".

// runCmd is `sluice run`.
type runCmd struct {
	Redirect      []listenAddr   `brief:"Listen for TCP from REDIRECT." file:"-" group:"listen" placeholder:"ADDR" help:"Listen for TCP from REDIRECT (repeatable)."`
	TProxy        []listenAddr   `brief:"Listen for TCP and UDP from TPROXY, as :12345." file:"-" name:"tproxy" group:"listen" placeholder:"ADDR" help:"Listen for TCP and UDP from TPROXY (repeatable). ADDR is :12345 for both families, 10.0.0.1:12345, [fd00::1]:12345."`
	TProxyNetwork []string       `each:"tcp: TCP alone; udp: UDP alone" file:"-" name:"tproxy-network" group:"listen" default:"tcp,udp" enum:"tcp,udp" help:"Which of the two --tproxy listens for."`
	Forward       []forward      `brief:"Carry what comes to LISTEN to DEST." file:"-" group:"listen" sep:" " placeholder:"LISTEN=DEST[,tcp][,udp]" help:"Listen at LISTEN, an ADDR of the gateway or one that is routed here, and carry what is sent there to DEST, as 10.0.0.5:80, [fd00::5]:80 or backend.example:80 (repeatable). Without :PORT that of LISTEN, without a network both."`
	Map           []portmap.Rule `group:"listen" placeholder:"PORT=PORT" help:"Carry diverted traffic of the first port to the second of the same address, as 80=50080, tcp:80=50080, udp:53=5353 (repeatable); replies bear the first."`

	Upstream             upstreamURL `brief:"Where all goes: socks5://HOST, http://HOST:PORT." file:"-" group:"route" placeholder:"URL" help:"Where everything goes that no rule is for: socks5://[USER[:PASSWORD]@]HOST[:PORT], http://[USER[:PASSWORD]@]HOST:PORT, direct: or block:. A password is better in a file or in SLUICE_UPSTREAM: it is taken off the command line, but late."`
	UpstreamPasswordFile string      `file:"-" group:"route" placeholder:"FILE" help:"File with the password of --upstream's user."`
	Block                []network   `file:"-" group:"route" placeholder:"CIDR" help:"Refuse what goes to these addresses, before the rules of the file (repeatable). Of two networks with an address, --block or --direct, the longer decides."`
	Direct               []network   `file:"-" group:"route" placeholder:"CIDR" help:"Reach these addresses directly, before the rules of the file (repeatable)."`

	ConnectTimeout   time.Duration `group:"tcp" default:"10s" range:"1ms..365d" help:"How long an upstream may take to answer."`
	IdleTimeout      time.Duration `group:"tcp" default:"2h4m" range:"1ms..365d" help:"Time without traffic after which a connection is reset."`
	HalfCloseTimeout time.Duration `group:"tcp" default:"5m" range:"1ms..365d" help:"The same, once one side has ended."`
	SniffTimeout     time.Duration `group:"tcp" default:"300ms" range:"0..5s" help:"How long a client's first bytes are waited for, TCP's or QUIC's, where a route depends on the name in them; 0: names are not looked for."`

	Keepalive         keepalive `group:"tcp" default:"45s,15s,5" placeholder:"IDLE[,INTERVAL[,COUNT]]" help:"Silence after which both sides of a connection are probed, time between probes, and how many without an answer end it; what is sent and not acknowledged for as long ends it too. off: neither."`
	KeepaliveClient   keepalive `group:"tcp" placeholder:"IDLE[,INTERVAL[,COUNT]]" help:"The same for the client's side alone."`
	KeepaliveUpstream keepalive `group:"tcp" placeholder:"IDLE[,INTERVAL[,COUNT]]" help:"The same for the upstream's side alone."`

	CongestionClient   string `complete:"congestion" group:"tcp" placeholder:"NAME" help:"Congestion control towards clients, as cubic or bbr; else the system's (net.ipv4.tcp_congestion_control)."`
	CongestionUpstream string `complete:"congestion" group:"tcp" placeholder:"NAME" help:"The same towards destinations."`

	MaxConns int `group:"tcp" default:"0" range:"0..16777216" help:"TCP connections at once; 0: as many as the fd limit carries."`

	UDPTimeout      time.Duration `name:"udp-timeout" group:"udp" default:"5m" range:"1ms..365d" help:"Idle time after which a UDP session ends."`
	UDPQueryTimeout time.Duration `name:"udp-query-timeout" group:"udp" default:"30s" range:"1ms..365d" help:"The same for one that only asked, and was answered at most twice, at port 53 or 123; at other ports at least 2m (RFC 4787)."`
	UDPSessions     int           `name:"udp-sessions" group:"udp" default:"65536" range:"1..16777216" help:"Upper bound of UDP sessions at once; less where the fd limit or net.ipv4.ip_local_port_range is lower."`
	ICMP            string        `each:"on: pass them on; off: do not" name:"icmp" group:"udp" default:"on" enum:"on,off" help:"Pass ICMP errors about datagrams (refused, unreachable, too big) on to the client that sent them: on, off."`

	ClientConns    clientBound `group:"client" default:"auto" placeholder:"N" help:"TCP connections of one client at once: an address, and half as many again for all of an IPv6 network. auto: half of all; up to 5000, if a 128th is left. off: no bound."`
	ClientDials    clientBound `group:"client" default:"auto" placeholder:"N" help:"Those of them whose upstream has not answered yet; never more than half of all connections. auto: an eighth of all, or up to 5000. off: no bound."`
	ClientConnects clientBound `group:"client" default:"auto" placeholder:"N" help:"New connections of one client a second. auto: a quarter of what a reactor carries, while it cannot keep up and others wait. off: no bound."`
	ClientSessions clientBound `group:"client" default:"auto" placeholder:"N" help:"UDP sessions of one client at once. auto: half of all, or up to 5000. off: no bound."`
	ClientRate     shape.Limit `group:"client" default:"off,off" placeholder:"UP,DOWN" help:"Bytes a second of each client, an address or an IPv6 network: from it, and to it, as 1MiB,8MiB; off: no bound. Connections wait, datagrams beyond it are dropped."`
	ClientPrefix   int         `group:"client" default:"64" range:"48..128" placeholder:"BITS" help:"Length of the network that an IPv6 client has, 48 to 128 (${default})."`
	ClientExempt   []network   `group:"client" placeholder:"CIDR" help:"Clients without these bounds, and without a rate (repeatable)."`

	Source source.Source `each:"gateway: an address of this gateway; client: the address and port of the client; client-address: the address of the client, any port" brief:"What destinations see: gateway, client, an address." group:"admission" default:"gateway" placeholder:"SOURCE" help:"Whose address destinations see: gateway; client: the client's address and port (TPROXY); client-address: its address with any port; or an address, or one of each family with a comma, of the gateway or routed here."`

	SourceFallback string       `each:"gateway: the address of the gateway; refuse: a reset" group:"admission" default:"gateway" enum:"gateway,refuse" help:"What a client gets whose address no upstream can bear (the gateway itself, a link-local one, a neighbour of the destination): the gateway's source, or a reset: gateway, refuse."`
	SourceReplies  string       `each:"proxy: sluice passes them on; kernel: the kernel forwards them" group:"admission" default:"proxy" enum:"proxy,kernel" help:"Who passes UDP replies on where destinations see the client's address: proxy: sluice; kernel: the gateway's kernel forwards them, which is faster, and sluice neither counts nor sees them: proxy, kernel."`
	TOS            upstream.TOS `each:"copy: that of the client, and back; off: the default" name:"tos" group:"path" default:"off" placeholder:"TOS" help:"Type of service towards destinations: copy: what the client's SYN and datagrams have, and back; a number, as 0xb8, or the name of a code point, as ef."`

	BindIface   string             `complete:"interfaces" name:"bind-iface" group:"admission" placeholder:"NAME" help:"Reach all destinations by this interface or VRF, also where routes lead elsewhere."`
	Mark        uint32             `group:"admission" default:"2" help:"SO_MARK of every upstream socket, which the diverting rules skip; 0 turns it off."`
	SendProxy   proxyproto.Sending `each:"v1: as text; v2: binary; v2+udp: binary, each datagram too; off: none" group:"admission" default:"off" placeholder:"VERSION" help:"Begin TCP connections towards destinations with a PROXY header, which tells whose they are: v1, v2, off; v2+udp: each datagram too."`
	AcceptProxy []network          `group:"admission" placeholder:"CIDR" help:"TCP connections of these peers begin with a PROXY header, which tells whose they are (repeatable)."`

	AllowLocal bool `group:"admission" help:"Permit destinations that are the gateway's own addresses."`

	Reactors     int           `group:"path" default:"0" range:"0..1024" help:"Event loops; 0: one per CPU that the process may use."`
	Engine       string        `each:"auto: io_uring where the kernel grants it; epoll: a system call for each; io_uring: those of many sockets by one, or not start" group:"path" default:"auto" enum:"auto,epoll,io_uring" help:"How sockets are received from and sent to: epoll, a system call for each; io_uring, those of many sockets by one (Linux 5.18); or auto: io_uring where the kernel grants it."`
	Relay        string        `each:"auto: splice what proves to be bulk; copy: through a buffer; splice: through a pipe from the first byte" group:"path" default:"auto" enum:"auto,copy,splice" help:"How TCP bytes move: copy, splice, or auto: splice what proves to be bulk."`
	PipeSize     size.Bytes    `group:"path" default:"1MiB" range:"4KiB..1GiB" help:"Capacity of a splice pipe; less where the kernel grants less, and one packet towards a socket that BBR paces."`
	BufferSize   size.Bytes    `group:"path" default:"64KiB" range:"1KiB..16MiB" help:"Size of a copy buffer."`
	Batch        int           `group:"path" default:"64" range:"1..1024" help:"Datagrams per recvmmsg and sendmmsg."`
	StreamPeriod time.Duration `group:"path" default:"400us" range:"0..10ms" help:"How long what comes by one-way bulk connections is gathered before it is moved, as a NIC that moderates interrupts does; 0 moves it at once."`
	BusyPoll     time.Duration `group:"path" default:"100us" range:"0..1ms" help:"How long a reactor may poll before it sleeps while it serves a lone exchange; 0 turns it off."`

	MemoryPressure string `each:"on: begin nothing new while memory is short; off: go on" group:"process" default:"on" enum:"on,off" help:"Begin nothing new while memory is short (of the cgroup, tcp_mem, the machine), before the OOM killer comes: on, off."`

	DrainTimeout time.Duration `group:"process" default:"10s" range:"0..365d" help:"How long running connections may go on after SIGTERM, or after another sluice has taken over."`
	Takeover     string        `each:"auto: take over from one that runs, hand over to the next; off: neither" group:"process" default:"auto" enum:"auto,off" help:"auto: take over from a running sluice that listens at the same address, without a gap, and hand over to the next; off: neither."`
	Detach       bool          `group:"process" file:"-" env:"-" help:"Run in the background, and return once it is ready."`
	LogLevel     string        `each:"trace: everything; debug: what destinations and many clients do; info: what some clients do; warn: what the operator can mend; error: what failed" brief:"trace, debug, info, warn or error." group:"process" default:"info" enum:"trace,debug,info,warn,error" help:"Least level that is logged: trace, debug, info, warn, error."`
	LogFormat    string        `each:"auto: what fits standard error; console: for people; json: a JSON object a line; journald: the journal, with fields" group:"process" default:"auto" enum:"auto,console,json,journald" help:"console, json, journald, or auto: the journal where standard error leads there, console on a terminal, else json."`
	User         string        `complete:"users" brief:"Become this user." group:"process" placeholder:"NAME" help:"Once ready, become this user, with only the capabilities that carrying traffic needs; sluice must be started as root."`
	Confine      string        `each:"auto: as far as the kernel lets; require: all of it, or not start; off: nothing" group:"process" default:"auto" enum:"auto,require,off" help:"Give up what running does not need (capabilities, programs, files, most of what the kernel does): as far as the kernel lets (auto), all of it or not start (require), off."`

	Control          control.Address `complete:"files" each:"off: no control socket" group:"control" placeholder:"ADDR" help:"Answer at this socket: a path, or ADDR:PORT with a token; off: at none. Else at /run/sluice/control.sock, where its directory is there."`
	ControlTokenFile string          `group:"control" placeholder:"FILE" help:"File with the token that is asked for at ADDR:PORT; else SLUICE_CONTROL_TOKEN has it."`
	AccessLog        string          `each:"-: standard output; journald: the journal" group:"control" placeholder:"FILE" help:"Write a JSON line for each flow at its end to FILE (which SIGHUP opens anew), - (standard output) or journald."`
	AccessLogSample  int             `group:"control" default:"1" range:"1..4294967296" placeholder:"N" help:"Write one in N of them (${default}), chosen by their IDs."`
	IPFIX            collector       `name:"ipfix" group:"control" placeholder:"HOST[:PORT]" help:"Tell a collector of each flow at its end: IPFIX over UDP, to port 4739 where none is named."`

	InstallRules bool      `brief:"Install the rules that divert, remove them at exit." group:"rules" file:"top" help:"Install the rules that divert traffic here, put them back when others take them away, and remove them at exit."`
	Rules        RuleFlags `embed:""`

	Config      []string `brief:"Read this; else /etc/sluice/sluice.json." group:"config" file:"-" placeholder:"PATH" help:"Read settings from this JSON file, or from those in this directory (repeatable; later ones come before earlier ones). Flags and environment come before them; SIGHUP rereads them. off: none. Else /etc/sluice/sluice.json and /etc/sluice/conf.d/*.json."`
	PrintConfig bool     `group:"config" file:"-" env:"-" help:"Print the configuration in effect, as such a file, and leave."`

	finder finder       // of files
	files  []string     // that were read
	file   *config.File // what they say; nil: there are none

	decided  bool             // decision is made
	decision []rules.Decision // of the routes, which the rules ask (decisions)
}

// Run carries traffic until SIGTERM or SIGINT.
func (cmd *runCmd) Run(ctx *kong.Context, found exposed) error {
	if cmd.PrintConfig {
		if err := cmd.validate(); err != nil {
			return err
		}
		_, err := os.Stdout.Write(cmd.config(ctx).Print())
		return err
	}
	output, err := logging.Open(cmd.LogFormat, cmd.LogLevel)
	if err != nil {
		return err
	}
	defer output.Close()
	log := output.Log
	if err := cmd.validateRun(); err != nil {
		return cmd.placed(err)
	}
	if isKeeper() {
		return cmd.runKeeper(log)
	}
	for _, line := range unknownVariables(ctx.Model) {
		log.Warn().Msg("environment: " + line)
	}
	if found {
		log.Warn().Msg("--upstream: a password on the command line may have been seen before it was taken off: name a --upstream-password-file, or set SLUICE_UPSTREAM instead")
	}
	if cmd.Detach {
		return detach()
	}
	lines := new(metrics.Lines)
	p := &process{cmd: cmd, config: cmd.config(ctx), log: log.Hook(lines), output: output, lines: lines,
		idleRules: cmd.idleRuleFlags(ctx), followed: make(chan handover.Peer, 1)}
	if err := p.start(); err != nil {
		return errors.Join(err, p.close(), p.ledgers.close())
	}
	if err := p.run(); err != nil {
		return errors.Join(p.abandon(), p.ledgers.close(), err)
	}
	err = errors.Join(p.close(), p.ledgers.close())
	p.logStats("stopped")
	return err
}

// takeoverOff is the value of --takeover that turns it off.
const takeoverOff = "off"

func (cmd *runCmd) options(log zerolog.Logger) redir.Options {
	return redir.Options{
		Inbounds:  cmd.inbounds(),
		Outbounds: cmd.outbounds(), Route: cmd.route(),
		UDPTimeout: cmd.UDPTimeout, UDPQueryTimeout: cmd.UDPQueryTimeout, UDPSessions: cmd.UDPSessions, ICMP: cmd.ICMP == "on",
		ConnectTimeout: cmd.ConnectTimeout, SniffTimeout: cmd.SniffTimeout, IdleTimeout: cmd.IdleTimeout,
		HalfCloseTimeout: cmd.HalfCloseTimeout, DrainTimeout: cmd.DrainTimeout, MaxConns: cmd.MaxConns,
		MemoryPressure:  cmd.MemoryPressure == "on",
		KeepaliveClient: cmd.KeepaliveClient.or(cmd.Keepalive), KeepaliveUpstream: cmd.KeepaliveUpstream.or(cmd.Keepalive),
		Clients:          cmd.clients(),
		Path:             upstream.Path{Source: cmd.Source, Mark: cmd.Mark, Device: cmd.BindIface, Congestion: cmd.CongestionUpstream, TOS: cmd.TOS, SendProxy: cmd.SendProxy},
		RequireSource:    cmd.SourceFallback == "refuse",
		KernelReplies:    cmd.SourceReplies == "kernel",
		AcceptProxy:      prefixes(cmd.AcceptProxy),
		ClientCongestion: cmd.CongestionClient, AllowLocal: cmd.AllowLocal, Reserved: cmd.reserved(), Maps: cmd.Map,
		Reactors: cmd.Reactors, Engine: engines()[cmd.Engine], Relay: relayModes()[cmd.Relay],
		PipeSize: int(cmd.PipeSize), BufferSize: int(cmd.BufferSize), Batch: cmd.Batch, BusyPoll: cmd.BusyPoll, StreamPeriod: cmd.StreamPeriod,
		Log: log,
	}
}

func (cmd *runCmd) clients() redir.ClientOptions {
	c := redir.ClientOptions{
		Conns: int(cmd.ClientConns), Dials: int(cmd.ClientDials), Connects: int(cmd.ClientConnects), Sessions: int(cmd.ClientSessions),
		Rate: cmd.ClientRate, Prefix: cmd.ClientPrefix,
	}
	c.Exempt = prefixes(cmd.ClientExempt)
	return c
}

func prefixes(networks []network) (all []netip.Prefix) {
	for _, n := range networks {
		all = append(all, n.Prefix)
	}
	return all
}

func relayModes() map[string]splice.Mode {
	return map[string]splice.Mode{"auto": splice.Auto, "copy": splice.Copy, "splice": splice.Splice}
}

func engines() map[string]redir.Engine {
	all := map[string]redir.Engine{}
	for _, e := range []redir.Engine{redir.AutoEngine, redir.EpollEngine, redir.RingEngine} {
		all[e.String()] = e
	}
	return all
}

// inboundsOfFile tells whether flags leave the inbounds to the file.
func (cmd *runCmd) inboundsOfFile() bool {
	return len(cmd.Redirect)+len(cmd.TProxy)+len(cmd.Forward) == 0 && cmd.file != nil
}

// inbounds are those of the flags or, without any, those of the file.
func (cmd *runCmd) inbounds() []inbound.Spec {
	if cmd.inboundsOfFile() {
		return cmd.file.Inbounds
	}
	var all []inbound.Spec
	add := func(in inbound.Spec, a listenAddr) {
		in.Listen = a.AddrPort
		if !a.Addr().IsValid() {
			in.Listen = netip.AddrPortFrom(netip.IPv6Unspecified(), a.Port())
		}
		in.Tag = config.Listen(in)
		all = append(all, in)
	}
	for _, a := range cmd.Redirect {
		add(inbound.Spec{Kind: inbound.Redirect, TCP: true}, a)
	}
	for _, a := range cmd.TProxy {
		add(inbound.Spec{Kind: inbound.TProxy, TCP: slices.Contains(cmd.TProxyNetwork, "tcp"), UDP: slices.Contains(cmd.TProxyNetwork, "udp")}, a)
	}
	for _, f := range cmd.Forward {
		add(inbound.Spec{Kind: inbound.Direct, Dest: f.dest, TCP: f.tcp, UDP: f.udp}, f.listen)
	}
	return all
}
