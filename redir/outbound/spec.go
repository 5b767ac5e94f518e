package outbound

import (
	"net/netip"
	"reflect"
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
	Server       resolve.Target
	User         string
	Password     Secret
	PasswordFile string // that holds the password; "": none does
	PasswordEnv  string // name of the variable that does; likewise

	Silent bool // of Block: no answer, instead of a refusal

	// Of Group.
	Members   []string // tags
	Test      string   // what is asked of each, see ParseTest
	Interval  time.Duration
	Tolerance time.Duration // how much faster another must be to be taken instead
}

// What a Group does where nothing is said: sing-box's.
const (
	DefaultTest      = "https://www.gstatic.com/generate_204"
	DefaultInterval  = 3 * time.Minute
	DefaultTolerance = 50 * time.Millisecond
)

// Equal reports whether both say the same.
func (s *Spec) Equal(other *Spec) bool { return reflect.DeepEqual(s, other) }

// Addrs are the server's, where it is written as an address.
func (s *Spec) Addrs() []netip.AddrPort {
	if at := s.Server.AddrPort(); s.Kind.HasServer() && at.IsValid() {
		return []netip.AddrPort{at}
	}
	return nil
}

// Targets are what is looked up for the outbound, as far as it has names.
func (s *Spec) Targets() []resolve.Target {
	if s.Kind.HasServer() {
		return []resolve.Target{s.Server}
	}
	return nil
}

// String is the outbound in a line for people, without its tag and secrets.
func (s *Spec) String() string {
	if s.Kind.HasServer() {
		return s.Kind.String() + " " + s.Server.String()
	}
	return s.Kind.String()
}
