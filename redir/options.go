package redir

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/rs/zerolog"

	"sluice/redir/inbound"
	"sluice/redir/outbound"
	"sluice/redir/portmap"
	"sluice/redir/route"
	"sluice/redir/socket"
	"sluice/redir/source"
	"sluice/redir/upstream"
	"sluice/splice"
)

// Options is all that a Server needs to know.
type Options struct {
	Inbounds  []inbound.Spec
	Inherited *inbound.Inherited // listeners of another process that this one follows; nil: none. New takes them over

	UDPTimeout      time.Duration
	UDPQueryTimeout time.Duration // of lookups (udp.Worker)
	UDPSessions     int           // upper bound of the NAT table
	ICMP            bool          // pass ICMP errors about datagrams on to clients
	KernelReplies   bool          // the kernel forwards UDP replies to clients whose address upstreams bear

	ConnectTimeout   time.Duration
	SniffTimeout     time.Duration // for a client's first bytes, where a rule of Route wants a name; 0: names are not looked for
	IdleTimeout      time.Duration
	HalfCloseTimeout time.Duration // without traffic, once one side has ended
	DrainTimeout     time.Duration
	MaxConns         int // 0: as many as the fd limit carries

	Clients          ClientOptions
	MemoryPressure   bool   // begin nothing new while memory is short
	ClientCongestion string // congestion control of clients' sockets; "": the namespace's default

	KeepaliveClient, KeepaliveUpstream socket.Keepalive // of the two sides of a connection

	Outbounds []outbound.Spec // none: everything leaves directly
	Route     route.Spec      // which flow takes which of them

	Path          upstream.Path    // of upstream sockets, where an inbound names nothing else
	RequireSource bool             // refuse a client that cannot have the source that it should, instead of giving it the gateway's
	AllowLocal    bool             // permit the gateway's own addresses as destinations
	Reserved      []netip.AddrPort // where this process listens for others than clients: never a destination
	AcceptProxy   []netip.Prefix   // who begins connections with a PROXY header
	Maps          []portmap.Rule   // ports at which diverted flows are dialled instead of their own

	Reactors   int // 0: one per CPU that the process may use
	Engine     Engine
	Relay      splice.Mode
	PipeSize   int           // bytes
	BufferSize int           // bytes
	Batch      int           // datagrams per recvmmsg and sendmmsg
	BusyPoll   time.Duration // how long a reactor may poll before it sleeps; 0: not at all
	// StreamPeriod is how long what comes by bulk connections, while their bytes
	// go one way, may be gathered before it is moved; 0: not at all.
	StreamPeriod time.Duration

	Log zerolog.Logger
}

// defaults are for inbounds that name none of their own.
func (o *Options) defaults() inbound.Defaults {
	return inbound.Defaults{UDPTimeout: o.UDPTimeout, UDPQueryTimeout: o.UDPQueryTimeout, Path: o.Path, KernelReplies: o.KernelReplies, Bears: o.outboundsBear()}
}

// mostBusyPoll bounds BusyPoll below the time after which the Go scheduler
// interrupts a thread.
const mostBusyPoll = time.Millisecond

// mostStreamPeriod bounds StreamPeriod likewise, at the end of which a thread
// may be interrupted.
const mostStreamPeriod = 10 * time.Millisecond

// mostSniffTimeout bounds SniffTimeout: programs whose server speaks first give up
// after some ten seconds.
const mostSniffTimeout = 5 * time.Second

// ErrNoInbound says that there is nothing to listen on.
var ErrNoInbound = errors.New("nothing to listen on: name at least one --redirect ADDR, --tproxy ADDR or --forward ADDR=DEST, or an inbound in a configuration file (--config PATH, else /etc/sluice/sluice.json)")

// Validate reports the first setting that makes no sense, and what would.
func (o *Options) Validate() error {
	if err := o.validateInbounds(); err != nil {
		return err
	}
	if err := o.validateOutbounds(); err != nil {
		return err
	}
	if _, err := portmap.New(o.Maps); err != nil {
		return fmt.Errorf("--map: %w", err)
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"--udp-timeout", o.UDPTimeout}, {"--udp-query-timeout", o.UDPQueryTimeout}, {"--connect-timeout", o.ConnectTimeout},
		{"--idle-timeout", o.IdleTimeout}, {"--half-close-timeout", o.HalfCloseTimeout},
	} {
		if d.value <= 0 {
			return fmt.Errorf("%s %v: must be more than 0", d.name, d.value)
		}
	}
	if o.BusyPoll < 0 || o.BusyPoll > mostBusyPoll {
		return fmt.Errorf("--busy-poll %v: must be between 0 and %v", o.BusyPoll, mostBusyPoll)
	}
	if o.StreamPeriod < 0 || o.StreamPeriod > mostStreamPeriod {
		return fmt.Errorf("--stream-period %v: must be between 0 and %v", o.StreamPeriod, mostStreamPeriod)
	}
	if o.SniffTimeout < 0 || o.SniffTimeout > mostSniffTimeout {
		return fmt.Errorf("--sniff-timeout %v: must be between 0 and %v", o.SniffTimeout, mostSniffTimeout)
	}
	if o.DrainTimeout < 0 {
		return fmt.Errorf("--drain-timeout %v: must not be negative", o.DrainTimeout)
	}
	for _, k := range []struct {
		name  string
		value socket.Keepalive
	}{{"--keepalive-client", o.KeepaliveClient}, {"--keepalive-upstream", o.KeepaliveUpstream}} {
		if err := k.value.Validate(); err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
	}
	if err := o.Clients.validate(); err != nil {
		return err
	}
	for _, n := range []struct {
		name             string
		value, low, high int
	}{
		{"--udp-sessions", o.UDPSessions, 1, 1 << 24}, {"--max-conns", o.MaxConns, 0, 1 << 24},
		{"--reactors", o.Reactors, 0, 1024}, {"--pipe-size", o.PipeSize, 4096, 1 << 30},
		{"--buffer-size", o.BufferSize, 1024, 16 << 20}, {"--batch", o.Batch, 1, 1024},
	} {
		if n.value < n.low || n.value > n.high {
			return fmt.Errorf("%s %d: must be between %d and %d", n.name, n.value, n.low, n.high)
		}
	}
	return nil
}

// InboundError is what is wrong with an inbound.
type InboundError struct {
	Index int // in Options.Inbounds
	Err   error
}

func (e *InboundError) Error() string { return e.Err.Error() }

// Unwrap is Err.
func (e *InboundError) Unwrap() error { return e.Err }

func (o *Options) validateInbounds() error {
	if len(o.Inbounds) == 0 {
		return ErrNoInbound
	}
	for i := range o.Inbounds {
		if err := o.validateInbound(i); err != nil {
			return &InboundError{i, err}
		}
	}
	return o.findLoop(netip.Addr.IsLoopback)
}

// validateInbound finds fault with one inbound, also beside those before it.
func (o *Options) validateInbound(i int) error {
	defaults, in := o.defaults(), o.Inbounds[i]
	if err := in.Validate(); err != nil {
		return err
	}
	if err := o.validatePath(&in); err != nil {
		return fmt.Errorf("%s %s: %w", in.Kind, in.Listen, err)
	}
	for _, other := range o.Inbounds[:i] {
		if network := in.Collides(other); network != "" {
			return fmt.Errorf("%s %s and %s %s: both take this %s port; give one another port", other.Kind, other.Listen, in.Kind, in.Listen, network)
		}
		direct := in.Kind == inbound.Direct || other.Kind == inbound.Direct // whose sessions any socket for replies finds
		if !direct && defaults.Returns(&in) && defaults.Returns(&other) && in.CollidesInReturns(&other) {
			return fmt.Errorf("%s %s and %s %s: both take UDP replies to clients at this port; give one another port", other.Kind, other.Listen, in.Kind, in.Listen)
		}
	}
	return nil
}

// validatePath finds fault with how upstreams of an inbound shall leave.
func (o *Options) validatePath(in *inbound.Spec) error {
	defaults := o.defaults()
	path := defaults.PathOf(in)
	if err := o.validateMark(path.Mark); err != nil {
		return err
	}
	if in.Kind == inbound.Redirect && path.Source.Kind == source.Client {
		return errClientsPort
	}
	if err := path.Validate(); err != nil {
		return fmt.Errorf("bind_iface: %w", err)
	}
	return nil
}

// errClientsPort says what a redirect inbound can do instead.
var errClientsPort = errors.New("source client: REDIRECT cannot carry the client's own port, since the kernel takes such packets for replies: use source client-address, or a tproxy inbound")

// validateMark finds fault with a mark by which the rules would not know what
// sluice sends.
func (o *Options) validateMark(mark uint32) error {
	if mark&o.Path.Mark == o.Path.Mark {
		return nil
	}
	return fmt.Errorf("mark %#x: does not hold the bits of --mark %#x, by which the rules know what sluice sends: want %#x, and routing rules that match its own bits, as fwmark %#x/%#x",
		mark, o.Path.Mark, mark|o.Path.Mark, mark, mark)
}
