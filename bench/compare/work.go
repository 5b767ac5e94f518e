package compare

// Work is one load with its sizes.
type Work struct {
	Key        string  `json:"key"`
	Title      string  `json:"title"`
	Unit       string  `json:"unit"`
	Transport  string  `json:"transport"` // tcp, udp
	Sweep      string  `json:"sweep,omitempty"`
	X          float64 `json:"x,omitempty"`                  // the value that the sweep varies
	Memory     bool    `json:"memory,omitempty"`             // memory is what it is about
	Role       Role    `json:"role,omitempty"`               // what the peers are in it; empty: transparent proxies
	Congestion string  `json:"congestion_control,omitempty"` // of TCP: what the sockets have

	load   loadKind
	flows  int  // connections, streams or sockets
	window int  // datagrams in flight for each flow
	size   int  // of a datagram, in bytes
	down   bool // streams flow to the client
	gso    bool // datagrams are sent in runs
}

// Role is what the peers of a work are, where they are something else than
// transparent proxies of whatever comes: those peers run with other flags, rules
// and a lab of their own.
type Role string

// The roles.
const (
	Reverse Role = "reverse" // fixed listeners before a fixed server
	Source  Role = "source"  // datagrams under the client's address and port
	Socks   Role = "socks"   // through a SOCKS5 server beside the servers
	Kernel  Role = "kernel"  // what a sluice's rules leave to the kernel
)

// loadKind is what puts the load.
type loadKind int

const (
	iperf      loadKind = iota // streams
	wrkKeep                    // requests on kept connections
	wrkClose                   // a connection for each request
	idle                       // connections that only exist
	echo                       // datagrams, a window for each flow
	newSources                 // datagrams from a new port each
)

// Units.
const (
	gigabyte   = "GB"
	request    = "request"
	connection = "connection"
	datagram   = "datagram"
	session    = "session"
)

// Works are the rows of the comparison. Idle connections come first, so that no
// other load has left memory behind, and new sources last of a role.
func Works() []Work {
	const tcp, udp = "tcp", "udp"
	return []Work{
		{Key: "idle-5000", Title: "5,000 idle connections", Unit: connection, Transport: tcp, Memory: true, load: idle, flows: 5000},
		{Key: "bulk-1-up", Title: "1 bulk stream, upwards", Unit: gigabyte, Transport: tcp, load: iperf, flows: 1},
		{Key: "bulk-1-down", Title: "1 bulk stream, downwards", Unit: gigabyte, Transport: tcp, load: iperf, flows: 1, down: true},
		{Key: "bulk-8-up", Title: "8 bulk streams, upwards", Unit: gigabyte, Transport: tcp, load: iperf, flows: 8},
		{Key: "bulk-8-down", Title: "8 bulk streams, downwards", Unit: gigabyte, Transport: tcp, load: iperf, flows: 8, down: true},
		{Key: "http-100", Title: "HTTP keep-alive, 100 connections", Unit: request, Transport: tcp, load: wrkKeep, flows: 100},
		{Key: "http-1", Title: "HTTP keep-alive, 1 connection", Unit: request, Transport: tcp, load: wrkKeep, flows: 1},
		{Key: "crr-50", Title: "A connection per request, 50 at once", Unit: connection, Transport: tcp, load: wrkClose, flows: 50},
		{Key: "udp-1", Title: "UDP echo, 1 flow, 1 in flight", Unit: datagram, Transport: udp, load: echo, flows: 1, window: 1, size: 200},
		{Key: "udp-1000", Title: "UDP echo, 1,000 flows, 1 in flight each", Unit: datagram, Transport: udp, load: echo, flows: 1000, window: 1, size: 200},
		{Key: "udp-16", Title: "UDP echo, 16 flows × 32, 200 bytes, sent singly", Unit: datagram, Transport: udp, load: echo, flows: 16, window: 32, size: 200},
		{Key: "udp-16-gso", Title: "UDP echo, 16 flows × 32, 1200 bytes, GSO", Unit: datagram, Transport: udp, load: echo, flows: 16, window: 32, size: 1200, gso: true},
		{Key: "udp-new", Title: "UDP, a new client port per datagram", Unit: session, Transport: udp, load: newSources, flows: 64, size: 64, Memory: true},
		{Key: "reverse-http-100", Title: "Reverse proxy that shows the client, HTTP keep-alive, 100 connections", Unit: request, Transport: tcp, Role: Reverse, load: wrkKeep, flows: 100},
		{Key: "reverse-crr-50", Title: "Reverse proxy that shows the client, a connection per request, 50 at once", Unit: connection, Transport: tcp, Role: Reverse, load: wrkClose, flows: 50},
		{Key: "source-udp-1", Title: "UDP with the client's source, 1 flow, 1 in flight", Unit: datagram, Transport: udp, Role: Source, load: echo, flows: 1, window: 1, size: 200},
		{Key: "source-udp-16", Title: "UDP with the client's source, 16 flows × 32, 200 bytes, sent singly", Unit: datagram, Transport: udp, Role: Source, load: echo, flows: 16, window: 32, size: 200},
		{Key: "source-udp-16-gso", Title: "UDP with the client's source, 16 flows × 32, 1200 bytes, GSO", Unit: datagram, Transport: udp, Role: Source, load: echo, flows: 16, window: 32, size: 1200, gso: true},
		{Key: "source-udp-new", Title: "UDP with the client's source, a new client port per datagram", Unit: session, Transport: udp, Role: Source, load: newSources, flows: 64, size: 64, Memory: true},
		{Key: "socks-bulk", Title: "Through SOCKS5, 1 bulk stream, upwards", Unit: gigabyte, Transport: tcp, Role: Socks, load: iperf, flows: 1},
		{Key: "socks-crr-50", Title: "Through SOCKS5, a connection per request, 50 at once", Unit: connection, Transport: tcp, Role: Socks, load: wrkClose, flows: 50},
		{Key: "socks-udp-16", Title: "Through SOCKS5, UDP echo, 16 flows × 32, 200 bytes, sent singly", Unit: datagram, Transport: udp, Role: Socks, load: echo, flows: 16, window: 32, size: 200},
		{Key: "socks-udp-16-gso", Title: "Through SOCKS5, UDP echo, 16 flows × 32, 1200 bytes, GSO", Unit: datagram, Transport: udp, Role: Socks, load: echo, flows: 16, window: 32, size: 1200, gso: true},
		{Key: "kernel-bulk", Title: "Left to the kernel beside 100,000 prefixes, 1 bulk stream, upwards", Unit: gigabyte, Transport: tcp, Role: Kernel, load: iperf, flows: 1},
		{Key: "kernel-crr-50", Title: "Left to the kernel beside 100,000 prefixes, a connection per request, 50 at once", Unit: connection, Transport: tcp, Role: Kernel, load: wrkClose, flows: 50},
		{Key: "kernel-udp-16", Title: "Left to the kernel beside 100,000 prefixes, UDP echo, 16 flows × 32, 200 bytes, sent singly", Unit: datagram, Transport: udp, Role: Kernel, load: echo, flows: 16, window: 32, size: 200},
	}
}

// Keys are the keys of Works.
func Keys() []string {
	var keys []string
	for _, w := range Works() {
		keys = append(keys, w.Key)
	}
	return keys
}

// Sweeps, by name.
const (
	SweepConnections = "connections"
	SweepFlows       = "flows"
	SweepSize        = "size"
	SweepReactors    = "reactors"
)

// Sweeps lists the names.
func Sweeps() []string {
	return []string{SweepConnections, SweepFlows, SweepSize, SweepReactors}
}

// SweepTitle says what a sweep's x is.
func SweepTitle(sweep string) string {
	return map[string]string{
		SweepConnections: "HTTP connections", SweepFlows: "UDP flows",
		SweepSize: "bytes per datagram", SweepReactors: "reactors",
	}[sweep]
}

// sweepWorks are the works of one sweep on a machine of that many CPUs and, for each
// process, open files.
func sweepWorks(sweep string, cpus, files int) []Work {
	var all []Work
	add := func(w Work, x int, title string) {
		w.Sweep, w.X, w.Title = sweep, float64(x), title
		all = append(all, w)
	}
	http := Work{Key: "sweep-connections", Unit: request, Transport: "tcp", load: wrkKeep}
	udp := Work{Key: "sweep-flows", Unit: datagram, Transport: "udp", load: echo, size: 200}
	switch sweep {
	case SweepConnections:
		for _, n := range []int{1, 10, 100, 1000, 3000, 5000, min(10000, files/2-spareFiles)} {
			http.flows = n
			add(http, n, "HTTP keep-alive")
		}
	case SweepFlows:
		for _, n := range []int{1, 4, 16, 64, 256, 1000, 5000} {
			udp.flows, udp.window = n, max(1, min(32, 512/n))
			add(udp, n, "UDP echo, 200 bytes, sent singly")
		}
	case SweepSize:
		for _, n := range []int{64, 200, 512, 1200, 1472, 4000, 16000, 65507} {
			udp.Key, udp.size, udp.flows, udp.window = "sweep-size", n, 16, 4
			add(udp, n, "UDP echo, 16 flows × 4, sent singly")
		}
	case SweepReactors:
		for n := 1; n <= cpus; n++ {
			http.Key, http.flows = "sweep-reactors-http", 100
			add(http, n, "HTTP keep-alive, 100 connections")
			udp.Key, udp.flows, udp.window = "sweep-reactors-udp", 16, 32
			add(udp, n, "UDP echo, 16 flows × 32, 200 bytes")
		}
	}
	return all
}
