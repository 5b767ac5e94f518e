//go:build linux

package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"

	"sluice/bench/lab"
)

// Addresses that are nobody's, and that the server routes to the gateway.
const (
	foreign4 = "192.0.2.77"
	foreign6 = "fd79:9::77"
)

// source is a value of --source. A server sees another end of a client's
// connections and datagrams with each.
type source string

const (
	gatewaySource source = "gateway"
	clientSource  source = "client"
	addressSource source = "client-address"
	ownSource     source = lab.GatewayLAN4 + "," + lab.GatewayLAN6
	foreignSource source = foreign4 + "," + foreign6
)

// sources are one of each kind.
func sources() []source {
	return []source{gatewaySource, clientSource, addressSource, ownSource, foreignSource}
}

// String names a test.
func (s source) String() string {
	switch s {
	case ownSource:
		return "own"
	case foreignSource:
		return "foreign"
	}
	return string(s)
}

// of is the address that a server sees of a client.
func (s source) of(w way, client netip.Addr) netip.Addr {
	switch s {
	case gatewaySource:
		return w.seen()
	case ownSource:
		return w.gateway()
	case foreignSource:
		return w.pick(foreign4, foreign6)
	}
	return client
}

// checkTCP compares whom a server has a connection with, of a client, with whom it
// ought to have it with.
func (s source) checkTCP(w way, client, seen netip.AddrPort) error {
	return s.check(w, client, seen, s == clientSource)
}

// checkUDP does so for datagrams, which keep their port with client-address too.
func (s source) checkUDP(w way, client, seen netip.AddrPort) error {
	return s.check(w, client, seen, s == clientSource || s == addressSource)
}

func (s source) check(w way, client, seen netip.AddrPort, port bool) error {
	client, seen = plain(client), plain(seen)
	if addr := s.of(w, client.Addr()); seen.Addr() != addr || port && seen.Port() != client.Port() {
		return fmt.Errorf("--source %v: the server sees %v of the client %v, want %v", string(s), seen, client, addr)
	}
	return nil
}

// plain is without the form that IPv4 has in sockets of IPv6.
func plain(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// startSource runs a sluice with a source and with the rules that it makes for it.
func startSource(t *testing.T, s source, flags ...string) *gateway {
	t.Helper()
	return startSourceWith(t, s, setup{flags: flags})
}

func startSourceWith(t *testing.T, s source, with setup) *gateway {
	t.Helper()
	with.listen, with.divert = []string{fmt.Sprintf("--tproxy=:%d", tproxyPort)}, divertNothing
	with.flags = slices.Concat([]string{"--source=" + string(s), "--install-rules", "--iface=" + lab.LAN,
		"--udp-timeout=" + udpTimeout.String()}, with.flags)
	g := startGateway(t, with)
	g.shared = writeBackFDs
	return g
}

// overSources runs a test over each source, beside each other.
func overSources(t *testing.T, over []source, test func(*testing.T, source)) {
	for _, s := range over {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			test(t, s)
		})
	}
}

// ends are the two ends of a connection.
func ends(c net.Conn) (local, remote netip.AddrPort) {
	return c.LocalAddr().(*net.TCPAddr).AddrPort(), c.RemoteAddr().(*net.TCPAddr).AddrPort()
}
