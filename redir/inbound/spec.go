package inbound

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"sluice/redir/proxyproto"
	"sluice/redir/resolve"
	"sluice/redir/shape"
	"sluice/redir/source"
	"sluice/redir/upstream"
)

// Kind is how netfilter hands traffic to an inbound.
type Kind uint8

const (
	// Redirect is TCP from the REDIRECT target; conntrack knows where it was
	// going.
	Redirect Kind = iota
	// TProxy is TCP and UDP from the TPROXY target; the socket's own address
	// is where it was going.
	TProxy
	// Direct is TCP and UDP that is sent to the inbound itself, and goes on to
	// where the inbound leads.
	Direct
)

// Kinds are all of them.
func Kinds() []Kind { return []Kind{Redirect, TProxy, Direct} }

func (k Kind) String() string {
	switch k {
	case Redirect:
		return "redirect"
	case TProxy:
		return "tproxy"
	}
	return "direct"
}

// Spec is one place where traffic is to arrive.
type Spec struct {
	Kind Kind
	Tag  string // names the inbound in logs
	// Listen is the address. An unspecified IPv6 address, or an invalid one,
	// listens for both families.
	Listen netip.AddrPort
	TCP    bool
	UDP    bool // not of Redirect
	// Dest is where a Direct one leads.
	Dest resolve.Target
	// UDPTimeout is the idle time after which a UDP session ends; 0 takes the
	// one for all.
	UDPTimeout time.Duration
	// UDPQueryTimeout is that of a session which is a lookup; 0 likewise.
	UDPQueryTimeout time.Duration

	// Ifaces are interfaces, or patterns as ppp*, with commas between, by which
	// the rules divert what arrives to this one; empty: what is left.
	Ifaces string

	// How upstreams of what comes by it leave; zero values take what holds for all.
	Source    source.Source
	Mark      uint32 // SO_MARK
	Device    string // an interface or a VRF
	SendProxy proxyproto.Sending

	// ClientRate is how fast each client may be by it alone; the zero value: what it
	// does by it is part of what holds for all.
	ClientRate shape.Limit
}

// Defaults are for inbounds that name none of their own.
type Defaults struct {
	UDPTimeout, UDPQueryTimeout time.Duration
	Path                        upstream.Path
	KernelReplies               bool // the kernel forwards UDP replies to clients whose address upstreams bear
	Bears                       bool // what leaves by some outbound bears clients' addresses, whatever the path says
}

// PathOf is how upstreams of what comes by an inbound leave.
func (d *Defaults) PathOf(s *Spec) upstream.Path {
	path := d.Path
	path.Source = s.Source.Or(path.Source)
	path.Mark = cmp.Or(s.Mark, path.Mark)
	path.Device = cmp.Or(s.Device, path.Device)
	path.SendProxy = s.SendProxy.Or(path.SendProxy)
	return path
}

// Validate reports the first setting that makes no sense, and what would.
func (s *Spec) Validate() error {
	switch {
	case s.Listen.Port() == 0:
		return fmt.Errorf("%s %s: the port must be 1 to 65535", s.Kind, s.Listen)
	case s.Kind == Redirect && s.UDP:
		return fmt.Errorf("redirect %s: REDIRECT carries TCP only; use a tproxy inbound for UDP", s.Listen)
	case !s.TCP && !s.UDP:
		return fmt.Errorf("%s %s: no network; name tcp, udp or both", s.Kind, s.Listen)
	case !s.TCP && s.SendProxy.On() && !s.SendProxy.Datagrams():
		return fmt.Errorf("%s %s: send_proxy %s is for TCP; name tcp too, or take v2+udp", s.Kind, s.Listen, s.SendProxy)
	case s.UDPTimeout < 0:
		return fmt.Errorf("%s %s: UDP timeout %v must not be negative", s.Kind, s.Listen, s.UDPTimeout)
	case s.UDPQueryTimeout < 0:
		return fmt.Errorf("%s %s: UDP query timeout %v must not be negative", s.Kind, s.Listen, s.UDPQueryTimeout)
	case s.Kind == Direct && (s.Dest.Host == "" || s.Dest.Port == 0):
		return fmt.Errorf("direct %s: leads nowhere; name a destination, as 10.0.0.5:80", s.Listen)
	case s.Kind != Direct && s.Dest != resolve.Target{}:
		return fmt.Errorf("%s %s: has a destination of its own, %s, which only a direct inbound has", s.Kind, s.Listen, s.Dest)
	}
	return nil
}

// String is the inbound in a line for people: direct [::]:8080=10.0.0.5:80.
func (s *Spec) String() string {
	text := s.Kind.String() + " " + s.Listen.String()
	if s.Kind == Direct {
		text += "=" + s.Dest.String()
	}
	return text
}

// IsSpecific reports whether the inbound listens at one address alone.
func (s *Spec) IsSpecific() bool { return len(s.Addrs()) == 1 && !s.Addrs()[0].Addr().IsUnspecified() }

// Collides names a network for which both inbounds listen at one address and
// port, "" if there is none.
func (s *Spec) Collides(other Spec) string {
	shared := func(a netip.AddrPort) bool {
		return slices.ContainsFunc(other.Addrs(), func(b netip.AddrPort) bool {
			return a == b || a.Port() == b.Port() && a.Addr().Is4() == b.Addr().Is4() &&
				(a.Addr().IsUnspecified() || b.Addr().IsUnspecified())
		})
	}
	switch {
	case !slices.ContainsFunc(s.Addrs(), shared):
		return ""
	case s.TCP && other.TCP:
		return "tcp"
	case s.UDP && other.UDP:
		return "udp"
	}
	return ""
}

// Addrs are the addresses of an inbound's sockets, unmapped: one for each
// family where it listens for both.
func (s *Spec) Addrs() []netip.AddrPort {
	a := s.Listen
	if a.Addr().IsValid() && a.Addr() != netip.IPv6Unspecified() {
		return []netip.AddrPort{netip.AddrPortFrom(a.Addr().Unmap(), a.Port())}
	}
	return []netip.AddrPort{
		netip.AddrPortFrom(netip.IPv4Unspecified(), a.Port()),
		netip.AddrPortFrom(netip.IPv6Unspecified(), a.Port()),
	}
}
