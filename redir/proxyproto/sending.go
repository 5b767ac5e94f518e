package proxyproto

import (
	"fmt"
	"net/netip"
)

// Sending is which header, if any, destinations get before a connection's first
// byte, and before each datagram. The zero value is SendDefault.
type Sending uint8

const (
	SendDefault Sending = iota // not said: what holds for all and, for all, SendNone
	SendNone
	SendV1
	SendV2
	SendV2UDP // before datagrams too
)

var sendingNames = [...]string{SendDefault: "", SendNone: "off", SendV1: "v1", SendV2: "v2", SendV2UDP: "v2+udp"}

// ParseSending reads off, v1, v2 or v2+udp.
func ParseSending(text string) (Sending, error) {
	for s, name := range sendingNames {
		if text == name && s != int(SendDefault) {
			return Sending(s), nil
		}
	}
	return SendDefault, fmt.Errorf("%q: want off, v1, v2 or v2+udp", text)
}

// String is what ParseSending reads; SendDefault is empty.
func (s Sending) String() string { return sendingNames[s] }

// UnmarshalText is ParseSending.
func (s *Sending) UnmarshalText(text []byte) (err error) {
	*s, err = ParseSending(string(text))
	return err
}

// Or is s or, where s is SendDefault, other.
func (s Sending) Or(other Sending) Sending {
	if s == SendDefault {
		return other
	}
	return s
}

// On reports whether connections begin with a header.
func (s Sending) On() bool { return s >= SendV1 }

// Datagrams reports whether each datagram does: what AppendV2 writes.
func (s Sending) Datagrams() bool { return s == SendV2UDP }

// Append appends the header of a TCP connection, of at most MostAppended bytes.
func (s Sending) Append(b []byte, source, dest netip.AddrPort) []byte {
	switch s {
	case SendV1:
		return AppendV1(b, source, dest)
	case SendV2, SendV2UDP:
		return AppendV2(b, TCP, source, dest)
	}
	return b
}
