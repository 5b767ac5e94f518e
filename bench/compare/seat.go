package compare

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/bench/lab"
)

// Ports. Each peer has a block of destination ports, by which a load chooses it,
// and a block of ports of its own to listen on.
const (
	destBase    = 20000
	listenBase  = 12000
	blockSize   = 10
	socksListen = 1080 // of the server, for proxies that speak to nothing but a SOCKS server
)

// Destination ports within a block.
const (
	portServe = iota // package serve, TCP and UDP
	portHTTP         // nginx
	portIperf        // iperf3
	portCheck        // the checks' own listeners
	portsUsed
	portRelay  = portsUsed     // the same by way of relays, from here on
	portNobody = blockSize - 1 // nobody listens
)

// udpTimeout is how long a UDP session of a peer outlives its last datagram, where
// that can be told to it. It bounds the sessions that new sources leave behind:
// rate times timeout must stay below the limit of file descriptors.
const udpTimeout = 500 * time.Millisecond

// udpTimeoutSeconds is udpTimeout for those that count whole seconds.
const udpTimeoutSeconds = 1

// spareFiles is what a proxy needs beside its connections' descriptors.
const spareFiles = 500

// seat is a peer's place in the lab.
type seat struct {
	index     int
	dir       string // for its files
	fileLimit uint64 // open files of its process
}

func (s seat) listen() uint16 { return uint16(listenBase + s.index*blockSize) }
func (s seat) dest() uint16   { return uint16(destBase + s.index*blockSize) }

// recipe is how to run a peer in its seat. Pure: nothing is started or written.
type recipe struct {
	Peer
	program string            // name, or a path with a slash
	args    []string          //
	files   map[string]string // by name within the seat's dir
	version []string          // arguments that print the version; nil: that of its Go module
	udp     bool              // carries UDP
	perPort bool              // listens on one port for each destination port, in their order
	conns   int               // connections that it can hold; 0: half of the file limit
	front   bool              // clients address it, not the server
	shows   bool              // servers see the client's address
	socks   bool              // goes through the SOCKS server
	relayed bool              // its clients address the relays
	rules   string            // of its own, for nft; empty: its own program's, or the common ones
	only    string            // the one sweep that it is for; empty: all but those of others
	x       float64           // of that sweep
	series  string            // name of its rows; empty: the peer's
}

// Variant is a sluice with its flags.
type Variant struct {
	Name    string
	Program string   // empty: Options.Sluice
	Flags   []string // of `sluice run`, beside --tproxy
}

// Kinds lists the kinds of peers beside sluice, in the order of tables and figures.
func Kinds() []string {
	return []string{Direct, HAProxy, "nginx", redsocksKind, SingBox, "xray", hevKind}
}

// recipeOf makes the recipe of a kind other than sluice.
func recipeOf(kind string, s seat) recipe {
	switch kind {
	case HAProxy:
		return haproxy(s)
	case "nginx":
		return nginxStream(s)
	case redsocksKind:
		return redsocks(s)
	case hevKind:
		return hev(s)
	case SingBox:
		return singBox(s)
	case "xray":
		return xray(s)
	}
	return recipe{Peer: Peer{Name: Direct, Kind: Direct, Way: Forward, Note: "the kernel forwards; no proxy"},
		udp: true, conns: int(s.fileLimit) - spareFiles}
}

// noFile has sluice read no file of this machine, unless the variant names one, or has
// another program, which may not know how.
func (v Variant) noFile() []string {
	if v.Program != "" || slices.ContainsFunc(v.Flags, func(f string) bool { return strings.HasPrefix(f, "--config") }) {
		return nil
	}
	return []string{"--config=off"}
}

// sluice is a variant.
func sluice(v Variant, path string, s seat) recipe {
	if v.Program != "" {
		path = v.Program
	}
	return recipe{
		Peer:    Peer{Name: v.Name, Kind: "sluice", Way: TProxy},
		program: path,
		args: slices.Concat([]string{"run", fmt.Sprintf("--tproxy=:%d", s.listen()), "--log-level=error",
			"--udp-timeout=" + udpTimeout.String()}, v.noFile(), v.Flags),
		version: []string{"--version"}, udp: true, conns: maxConns(v.Flags, s.fileLimit),
	}
}

// maxConns is how many connections a sluice takes: what --max-conns says, else a
// quarter of the files, since it shares them out between connections and sessions.
func maxConns(flags []string, files uint64) int {
	const flag = "--max-conns"
	for i, f := range flags {
		value, ok := strings.CutPrefix(f, flag+"=")
		if f == flag && i+1 < len(flags) {
			value, ok = flags[i+1], true
		}
		if n, err := strconv.Atoi(value); ok && err == nil && n > 0 {
			return n
		}
	}
	return int(files) / 4
}

// serverAddress is where loads go to.
const serverAddress = lab.Server4
