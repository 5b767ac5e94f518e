package portmap

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Rule is one port and what stands in for it.
type Rule struct {
	TCP, UDP bool
	From, To uint16
}

// Parse reads FROM=TO, or tcp:FROM=TO or udp:FROM=TO for one of them.
func Parse(text string) (Rule, error) {
	r := Rule{TCP: true, UDP: true}
	rest := text
	if ports, ok := strings.CutPrefix(text, "tcp:"); ok {
		rest, r.UDP = ports, false
	} else if ports, ok := strings.CutPrefix(text, "udp:"); ok {
		rest, r.TCP = ports, false
	}
	from, to, both := strings.Cut(rest, "=")
	for _, p := range []struct {
		text string
		into *uint16
	}{{from, &r.From}, {to, &r.To}} {
		n, err := strconv.ParseUint(p.text, 10, 16)
		if !both || err != nil || n == 0 {
			return Rule{}, fmt.Errorf("%q: want two ports from 1 to 65535, as 80=50080, tcp:80=50080 or udp:53=5353", text)
		}
		*p.into = uint16(n)
	}
	if r.From == r.To {
		return Rule{}, fmt.Errorf("%q: the port stands in for itself", text)
	}
	return r, nil
}

// UnmarshalText is Parse.
func (r *Rule) UnmarshalText(text []byte) (err error) {
	*r, err = Parse(string(text))
	return err
}

// String is what Parse reads.
func (r Rule) String() string {
	network := ""
	switch {
	case !r.UDP:
		network = "tcp:"
	case !r.TCP:
		network = "udp:"
	}
	return fmt.Sprintf("%s%d=%d", network, r.From, r.To)
}

// Map is some rules. It is never changed. A nil one, which is that of no rules,
// leaves every port as it is.
type Map struct {
	tcp, udp map[uint16]uint16
	udpFrom  map[uint16][]uint16 // the ports that a port of udp stands in for
}

// New finds fault with two rules for one port.
func New(rules []Rule) (*Map, error) {
	if len(rules) == 0 {
		return nil, nil
	}
	m := &Map{map[uint16]uint16{}, map[uint16]uint16{}, map[uint16][]uint16{}}
	for _, r := range rules {
		for _, of := range []struct {
			name  string
			is    bool
			ports map[uint16]uint16
		}{{"tcp", r.TCP, m.tcp}, {"udp", r.UDP, m.udp}} {
			if !of.is {
				continue
			}
			if to, twice := of.ports[r.From]; twice {
				return nil, fmt.Errorf("%s port %d is mapped twice, to %d and to %d", of.name, r.From, to, r.To)
			}
			of.ports[r.From] = r.To
		}
		if r.UDP {
			m.udpFrom[r.To] = append(m.udpFrom[r.To], r.From)
		}
	}
	return m, nil
}

// TCP is where a connection that was going to dest is dialled.
func (m *Map) TCP(dest netip.AddrPort) netip.AddrPort {
	if m == nil {
		return dest
	}
	return mapped(m.tcp, dest)
}

// UDP is where a datagram that was going to dest is sent.
func (m *Map) UDP(dest netip.AddrPort) netip.AddrPort {
	if m == nil {
		return dest
	}
	return mapped(m.udp, dest)
}

// UDPFrom are the ports of datagrams that are sent to a port in their place.
func (m *Map) UDPFrom(to uint16) []uint16 {
	if m == nil {
		return nil
	}
	return m.udpFrom[to]
}

func mapped(ports map[uint16]uint16, dest netip.AddrPort) netip.AddrPort {
	if to, ok := ports[dest.Port()]; ok {
		return netip.AddrPortFrom(dest.Addr(), to)
	}
	return dest
}
