package flood

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Kind is what the packets of a flood are.
type Kind string

// The kinds.
const (
	UDP Kind = "udp" // datagrams of Size bytes
	SYN Kind = "syn" // segments that open a connection, which nobody goes on with
	RST Kind = "rst" // resets of connections that are not there
	ACK Kind = "ack" // segments of Size bytes of connections that are not there
)

// Bounds on what a flood may ask for.
const (
	maxRate     = 1e6
	maxSize     = 1400 // bytes
	maxDuration = 10 * time.Minute
)

// Spec says what to send where.
type Spec struct {
	Kind     Kind           `json:"kind"`
	Target   netip.AddrPort `json:"target"`
	From     netip.Prefix   `json:"from"` // the sources' addresses
	Rate     float64        `json:"rate"` // packets per second
	Size     int            `json:"size"` // payload, in bytes
	Duration time.Duration  `json:"duration_ns"`

	// Enter runs what opens the socket: lab.Namespace.Do puts it into a namespace.
	// Nil: the caller's.
	Enter func(func() error) error `json:"-"`
}

// Result is what was sent.
type Result struct {
	Spec    Spec    `json:"spec"`
	Packets uint64  `json:"packets"`
	Seconds float64 `json:"seconds"`
}

// Check says what is wrong with the Spec.
func (s *Spec) Check() error {
	var errs []error
	refuse := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	refuse(s.Kind != UDP && s.Kind != SYN && s.Kind != RST && s.Kind != ACK, "no such flood: %q", s.Kind)
	refuse(!s.Target.IsValid() || s.Target.Port() == 0, "no target address and port")
	refuse(!s.From.IsValid(), "no prefix of sources")
	refuse(s.From.IsValid() && s.From.Addr().Is4() != s.Target.Addr().Is4(), "sources %v and target %v are of two families", s.From, s.Target)
	refuse(!(s.Rate > 0 && s.Rate <= maxRate), "rate %v: want more than 0, and %.0f at most", s.Rate, maxRate)
	refuse(s.Size < 0 || s.Size > maxSize, "size %d is not within 0 to %d bytes", s.Size, maxSize)
	refuse(s.Duration <= 0 || s.Duration > maxDuration, "duration %v: want more than 0, and %v at most", s.Duration, maxDuration)
	return errors.Join(errs...)
}

const (
	firstPort = 1024
	ports     = 1<<16 - firstPort
	// mostHosts bounds the addresses that are used of a wide prefix, in bits.
	mostHosts = 20
)

// source is the n-th source: without the prefix's first and last address, where
// it has more than two.
func (s *Spec) source(n uint64) netip.AddrPort {
	bits := min(s.From.Addr().BitLen()-s.From.Bits(), mostHosts)
	hosts, first := uint64(1)<<bits, uint64(0)
	if hosts > 2 {
		hosts, first = hosts-2, 1
	}
	host := first + n%hosts
	b := s.From.Masked().Addr().AsSlice()
	for i := len(b) - 1; host > 0; i-- {
		b[i] |= byte(host)
		host >>= 8
	}
	addr, _ := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(addr, uint16(firstPort+n/hosts%ports))
}
