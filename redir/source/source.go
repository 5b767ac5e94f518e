package source

import (
	"fmt"
	"net/netip"
	"strings"
)

// Kind is where a source comes from.
type Kind uint8

// The kinds of sources.
const (
	Default       Kind = iota // not said: what holds for all and, for all, Gateway
	Gateway                   // an address of the gateway's that its routes choose
	Client                    // the client's address and port
	ClientAddress             // the client's address alone
	Address                   // addresses that the operator names
)

var kindNames = map[Kind]string{Default: "", Gateway: "gateway", Client: "client", ClientAddress: "client-address"}

// Source is what upstream sockets bear. The zero value is Default.
type Source struct {
	Kind       Kind
	IPv4, IPv6 netip.Addr // of Address: one of each family at most; towards the other, it is Gateway
}

// Parse reads what an operator writes: gateway, client, client-address, an
// address, or one of each family with a comma between them.
func Parse(text string) (Source, error) {
	for kind, name := range kindNames {
		if text == name && kind != Default {
			return Source{Kind: kind}, nil
		}
	}
	s := Source{Kind: Address}
	for part := range strings.SplitSeq(text, ",") {
		addr, err := netip.ParseAddr(strings.TrimSpace(part))
		addr = addr.Unmap()
		of := &s.IPv6
		if addr.Is4() {
			of = &s.IPv4
		}
		switch {
		case err != nil:
			return Source{}, fmt.Errorf("source %q: want gateway, client, client-address or an address, as 203.0.113.5 or 203.0.113.5,2001:db8::5", text)
		case addr.Zone() != "" || !addr.IsGlobalUnicast():
			return Source{}, fmt.Errorf("source %s: no address that a server could answer: want one that is routed here", addr)
		case of.IsValid():
			return Source{}, fmt.Errorf("source %q: two addresses of one family: want one of each at most", text)
		}
		*of = addr
	}
	return s, nil
}

// String is what Parse reads; Default is empty.
func (s Source) String() string {
	if s.Kind != Address {
		return kindNames[s.Kind]
	}
	var parts []string
	for _, addr := range []netip.Addr{s.IPv4, s.IPv6} {
		if addr.IsValid() {
			parts = append(parts, addr.String())
		}
	}
	return strings.Join(parts, ",")
}

// UnmarshalText is Parse.
func (s *Source) UnmarshalText(text []byte) (err error) {
	*s, err = Parse(string(text))
	return err
}

// Or is s or, where s is Default, other.
func (s Source) Or(other Source) Source {
	if s.Kind == Default {
		return other
	}
	return s
}

// OfClients reports whether sockets bear clients' addresses.
func (s Source) OfClients() bool { return s.Kind == Client || s.Kind == ClientAddress }

// Foreign reports whether sockets bear addresses that the machine may not have.
func (s Source) Foreign() bool { return s.OfClients() || s.Kind == Address }

// For is the address and port that a socket for client bears; a port of 0 is any.
// The address is invalid where the routes choose it.
func (s Source) For(client netip.AddrPort) netip.AddrPort {
	switch s.Kind {
	case Client:
		return client
	case ClientAddress:
		return netip.AddrPortFrom(client.Addr(), 0)
	case Address:
		if client.Addr().Is4() {
			return netip.AddrPortFrom(s.IPv4, 0)
		}
		return netip.AddrPortFrom(s.IPv6, 0)
	}
	return netip.AddrPort{}
}
