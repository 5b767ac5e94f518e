//go:build linux

package e2e

import (
	"net/netip"
	"testing"

	"sluice/bench/lab"
)

// Where sluice listens, and the server's ports that lead there.
const (
	redirectPort  uint16 = 12346
	tproxyPort    uint16 = 12345
	redirectFirst uint16 = 20000
	tproxyFirst   uint16 = 21000
	portSpan             = 15 // as many as one multiport match takes (iptables-extensions(8))
)

// ports are the portSpan ports from first on.
func ports(first uint16) []uint16 {
	var p []uint16
	for i := range uint16(portSpan) {
		p = append(p, first+i)
	}
	return p
}

// way is one of the four paths through the gateway.
type way struct {
	tproxy bool
	v6     bool
}

func (w way) String() string {
	return map[bool]string{false: "redirect", true: "tproxy"}[w.tproxy] + "/" + map[bool]string{false: "v4", true: "v6"}[w.v6]
}

// port is the i-th port of the server that leads this way, 0 <= i < portSpan.
func (w way) port(i int) uint16 {
	if w.tproxy {
		return tproxyFirst + uint16(i)
	}
	return redirectFirst + uint16(i)
}

func (w way) pick(v4, v6 string) netip.Addr {
	if w.v6 {
		return netip.MustParseAddr(v6)
	}
	return netip.MustParseAddr(v4)
}

// Ends of the way: client and server themselves, the gateway as the client knows
// it, and the gateway as the server sees it.
func (w way) client() netip.Addr  { return w.pick(lab.Client4, lab.Client6) }
func (w way) server() netip.Addr  { return w.pick(lab.Server4, lab.Server6) }
func (w way) gateway() netip.Addr { return w.pick(lab.GatewayLAN4, lab.GatewayLAN6) }
func (w way) seen() netip.Addr    { return w.pick(lab.GatewayWAN4, lab.GatewayWAN6) }

// listener is the port of sluice that this way ends at.
func (w way) listener() uint16 {
	if w.tproxy {
		return tproxyPort
	}
	return redirectPort
}

// dest is the server at the i-th port of this way.
func (w way) dest(i int) netip.AddrPort { return netip.AddrPortFrom(w.server(), w.port(i)) }

// ways are all four; udpWays those that carry UDP.
func ways() []way    { return []way{{false, false}, {false, true}, {true, false}, {true, true}} }
func udpWays() []way { return []way{{true, false}, {true, true}} }

// overWays runs a test over each way.
func overWays(t *testing.T, over []way, test func(*testing.T, way)) {
	for _, w := range over {
		t.Run(w.String(), func(t *testing.T) { test(t, w) })
	}
}
