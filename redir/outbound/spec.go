package outbound

import (
	"net/netip"
	"time"

	"sluice/redir/resolve"
	"sluice/redir/source"
)

// Kind is what becomes of a flow.
type Kind uint8

const (
	Direct  Kind = iota // its destination is dialled
	Block               // it is refused
	Socks               // a SOCKS5 server (RFC 1928) carries it
	HTTP                // an HTTP proxy does (CONNECT); TCP only
	Forward             // the kernel forwards it: the rules leave it alone
	Group               // one of others carries it
)

// Kinds are all of them.
func Kinds() []Kind { return []Kind{Direct, Block, Socks, HTTP, Forward, Group} }

// String is the kind's name in the file.
func (k Kind) String() string {
	return [...]string{"direct", "block", "socks", "http", "forward", "urltest"}[k]
}

// HasServer reports whether flows are carried by a server.
func (k Kind) HasServer() bool { return k == Socks || k == HTTP }

// Secret is a text that shows nowhere.
type Secret string

// String hides it.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "***"
}

// GoString hides it too.
func (s Secret) GoString() string { return s.String() }

// Spec is one outbound as an operator writes it.
type Spec struct {
	Kind Kind
	Tag  string

	// How sockets leave; zero values take what holds for the inbound.
	Source         source.Source
	Mark           uint32 // SO_MARK
	Device         string // an interface or a VRF
	ConnectTimeout time.Duration

	Fallback string // tag of the outbound that is taken where the server cannot be reached; "": none

	// Of Socks and HTTP.
	Server   resolve.Target
	User     string
	Password Secret

	Silent bool // of Block: no answer, instead of a refusal

	// Of Group.
	Members   []string // tags
	Test      string   // what is asked of each: http://HOST[:PORT]/PATH, or HOST:PORT, which is connected to
	Interval  time.Duration
	Tolerance time.Duration // how much faster another must be to be taken instead
}

// Addrs are the server's, where it is written as an address.
func (s *Spec) Addrs() []netip.AddrPort {
	if at := s.Server.AddrPort(); s.Kind.HasServer() && at.IsValid() {
		return []netip.AddrPort{at}
	}
	return nil
}
