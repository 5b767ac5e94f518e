package proxyproto

import "net/netip"

// MostBytes is the length of the longest header, in bytes: 16, and what a length
// of 16 bits can add in version 2.
const MostBytes = headV2 + 1<<16 - 1

// Header is what a header says.
type Header struct {
	Version Version
	Local   bool // the sender speaks for itself; nothing below is set
	Network Network
	// Source is who connected to the sender, Dest to which address. Both are
	// unmapped, and set for TCP and UDP alone.
	Source, Dest netip.AddrPort
}

// HasAddrs tells whether the header says whose connection it is. Where it does
// not, the receiver goes on with the connection's own addresses (the
// specification, 2.2).
func (h *Header) HasAddrs() bool { return h.Network == TCP || h.Network == UDP }

// Version is one of the two forms of a header.
type Version uint8

const (
	V1 Version = 1 // a line of text; TCP only
	V2 Version = 2 // binary
)

// Network is what the connection that a header tells of is made of.
type Network uint8

const (
	Unspecified Network = iota
	TCP
	UDP
	Unix // a stream or datagrams of AF_UNIX
)

// Verdict is what Parse found.
type Verdict uint8

const (
	Incomplete Verdict = iota // all that has arrived may begin a header
	Complete
	Absent    // it begins with something else
	Malformed // it begins like a header, and is none
)
