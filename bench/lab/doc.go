// Package lab makes a client, a gateway and a server out of three Linux network
// namespaces, so that a transparent proxy can be tried on one machine.
//
//	  NAME-client                 NAME-gateway                    NAME-server
//	+---------------+      +---------------------------+      +-----------------+
//	|           lan |------| lan                   wan |------| wan             |
//	|   10.77.1.2/24| veth | 10.77.1.1/24 10.77.2.1/24 | veth | 10.77.2.2/24    |
//	|   fd77:1::2/64|      | fd77:1::1/64 fd77:2::1/64 |      | fd77:2::2/64    |
//	|               |      |                           |      |                 |
//	| local:        |      | forwards; diverts with    |      | local:          |
//	|  10.78.0.0/16 |      | Redirect or TProxy what   |      |  198.18.0.0/15  |
//	|  fd78::/64    |      | enters at lan             |      |  2001:2::/48    |
//	+---------------+      +---------------------------+      +-----------------+
//	  default via             default via 10.77.2.2,            default via
//	  10.77.1.1, fd77:1::1    fd77:2::2                         10.77.2.1, fd77:2::1
//
// With Options.Bridge the gateway's lan is a bridge with the veth lan0 as its
// only port, as on home routers.
//
// # Glossary
//
//   - lab: the three namespaces of one name, with their links and routes.
//   - local prefix: a prefix every address of which belongs to a namespace
//     (`ip route add local`, "AnyIP"). The client may bind any address of
//     ClientNet4 and ClientNet6 and so be 65,534 clients; the server answers on
//     any address of ServerNet4 and ServerNet6 and so is any destination. Both
//     are benchmarking prefixes (RFC 2544, RFC 5180).
//   - divert: hand what enters the gateway to a proxy there, instead of
//     forwarding it. REDIRECT rewrites the destination, TPROXY does not.
//   - mark 1: a packet to be delivered locally (TPROXY); mark 2: a packet of the
//     proxy's own, never to be diverted.
//
// Neighbours are permanent and duplicate address detection is off, so the first
// packet of a test meets neither an ARP queue nor a tentative address.
//
// The namespaces are those of `ip netns`, so `ip netns exec NAME-gateway ss -t`
// works beside it.
package lab

// Addresses of the lab. Each end is Something4 and Something6.
const (
	Client4     = "10.77.1.2"
	Client6     = "fd77:1::2"
	GatewayLAN4 = "10.77.1.1"
	GatewayLAN6 = "fd77:1::1"
	GatewayWAN4 = "10.77.2.1"
	GatewayWAN6 = "fd77:2::1"
	Server4     = "10.77.2.2"
	Server6     = "fd77:2::2"
)

// Local prefixes: every address in them belongs to the client or to the server.
const (
	ClientNet4 = "10.78.0.0/16"
	ClientNet6 = "fd78::/64"
	ServerNet4 = "198.18.0.0/15"
	ServerNet6 = "2001:2::/48"
)

// Interface names inside the namespaces: LAN joins client and gateway, WAN joins
// gateway and server.
const (
	LAN = "lan"
	WAN = "wan"
)

// Options shape a lab. The zero value is a lab of MTU 1500 without GRO.
type Options struct {
	// Name is what the namespaces' names begin with; unique among the labs that
	// exist at one time. Empty: made from the process id and a counter.
	Name string
	// MTU of both links, in bytes. 0: 1500. IPv6 needs at least 1280.
	MTU int
	// GRO lets the receiving end of each link merge packets (`ethtool -K lan gro
	// on`); a veth leaves it off by default.
	GRO bool
	// Bridge makes the gateway's lan a bridge with the link as its port.
	Bridge bool
	// Congestion is TCP's congestion control in the lab (SetCongestion). Empty: the
	// default of new namespaces, which is the first one's.
	Congestion string
}
