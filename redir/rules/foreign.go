package rules

import (
	"errors"
	"fmt"
	"net/netip"
)

// Sources says which addresses that the gateway does not have sluice's sockets
// towards destinations bear. The zero value is none.
type Sources struct {
	Clients       bool         // some bear the client's address
	Ports         bool         // and its port; the rules need to know for Redirect alone
	Addrs         []netip.Addr // that others bear, routed here
	UDPPort       uint16       // where sluice takes in UDP replies to clients' addresses; 0: where it takes in clients' datagrams
	UDPPort6      uint16       // the same over IPv6; 0: at UDPPort too
	KernelReplies bool         // UDP replies to clients' addresses: the kernel forwards them, past sluice
}

// Zone is the conntrack zone of the client's leg, where sluice's own bears the
// client's address: the number of our routes (RouteProtocol).
const Zone = RouteProtocol

// Conntrack's mark of sluice's own leg, where it bears the client's address: a
// bit as DefaultCTMark.
const (
	DefaultCTOwn     = 0x20000000
	DefaultCTOwnMask = 0x20000000
)

// ownLabel is the conntrack label of the same.
const ownLabel = rememberLabel + 1

// returnAddrs are the addresses on which sluice's UDP sockets take in replies to
// clients' addresses, at the port of the UDP inbound: nobody has them (RFC 5737,
// RFC 3849).
var returnAddrs = map[byte]netip.Addr{
	familyIPv4: netip.AddrFrom4([4]byte{198, 51, 100, 1}),
	familyIPv6: netip.AddrFrom16([16]byte{0: 0x20, 1: 0x01, 2: 0x0d, 3: 0xb8, 15: 2}),
}

var (
	bothFamilies = []byte{familyIPv4, familyIPv6}
	bothProtos   = []byte{protoTCP, protoUDP}
)

// foreign tells whether sockets towards destinations bear addresses that the
// gateway does not have: what is sent to these must be handed to them.
func (s Spec) foreign() bool { return s.Sources.Clients || len(s.Sources.Addrs) > 0 }

// zoned tells whether the client's leg has a conntrack zone of its own. With the
// client's address, both legs may have the same addresses and ports, which the
// tracker would take for one connection: no masquerade, and packets that are
// invalid. Under Redirect a late-bound port keeps them apart, most times.
func (s Spec) zoned() bool { return s.Sources.Clients && s.Via == TProxy }

// back is the mark by which what the gateway's own servers answer to clients'
// addresses is routed to sluice. It is another than the fwmark, with which the
// source rule keeps what the gateway sends from coming back.
func (s Spec) back() marks {
	if !s.zoned() {
		return marks{}
	}
	return marks{s.Mark | s.OwnMark, s.Mask | s.OwnMark}
}

func checkSources(s Spec) error {
	if !s.foreign() {
		return nil
	}
	for _, addr := range s.Sources.Addrs {
		if !addr.IsValid() || addr.Is4In6() || addr.Zone() != "" || !addr.IsGlobalUnicast() {
			return fmt.Errorf("source %s: no address that a server could answer: want one that is routed here", addr)
		}
	}
	switch {
	case s.NoTrack:
		return errors.New("source: the conntrack entry tells sluice's own leg from the client's: leave --notrack out, or use --source gateway")
	case s.OwnMark == 0:
		return errors.New("source: sluice's own sockets are known by their mark: give a --mark other than 0")
	case s.Via == Redirect && s.Sources.Ports:
		return errors.New("source client: REDIRECT: the client's own port cannot be had: use source client-address, or --tproxy")
	case s.zoned() && s.carries(protoUDP) && len(s.ingressOf(protoUDP)) == 0:
		return errors.New("source client: nothing tells a client's datagram from a server's answer before either is tracked: name the interfaces where clients are, as --iface lan0, or divert TCP alone")
	}
	return checkOwnConntrackMark(s)
}

func checkOwnConntrackMark(s Spec) error {
	switch {
	case s.CTOwn == 0 || s.CTOwn&^s.CTOwnMask != 0:
		return fmt.Errorf("own conntrack mark %#x/%#x: the mark must not be 0 and must lie within its mask, as %#x/%#x", s.CTOwn, s.CTOwnMask, DefaultCTOwn, DefaultCTOwnMask)
	case s.CTOwnMask&s.CTMask != 0:
		return fmt.Errorf("own conntrack mark %#x/%#x: shares bits with the conntrack mark %#x/%#x, so that one would undo the other: choose another --ct-own-mark",
			s.CTOwn, s.CTOwnMask, s.CTMark, s.CTMask)
	case s.CTOwn&s.Mask == s.Mark || s.CTOwn&s.OwnMark == s.OwnMark:
		return fmt.Errorf("own conntrack mark %#x: holds the bits of fwmark %#x/%#x or of the own mark %#x, so that whoever restores it into packets would divert them: choose another --ct-own-mark",
			s.CTOwn, s.Mark, s.Mask, s.OwnMark)
	}
	return nil
}
