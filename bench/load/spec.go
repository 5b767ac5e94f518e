package load

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"time"

	"sluice/bench/frame"
)

// Test names one of the loads.
type Test string

// The loads.
const (
	TCPStream Test = "tcp-stream" // bytes, in one direction or both
	TCPRR     Test = "tcp-rr"     // requests on kept connections
	TCPCRR    Test = "tcp-crr"    // a connection for each request
	TCPIdle   Test = "tcp-idle"   // connections that are held and still work after
	UDPRR     Test = "udp-rr"     // echoed datagrams, a window for each flow
	UDPStream Test = "udp-stream" // datagrams at a rate, in one direction
	UDPChurn  Test = "udp-churn"  // a new source port for each echoed datagram
	UDPFlood  Test = "udp-flood"  // datagrams as fast as they go, one way
)

// Direction of a stream, seen from the client.
type Direction string

// The directions. Both is TCP only: the server returns what it is sent.
const (
	Up   Direction = "up"
	Down Direction = "down"
	Both Direction = "both"
)

// Bounds on what a load may ask for.
const (
	maxDuration = time.Hour
	maxFlood    = 30 * time.Second
	maxFlows    = 1_000_000
	maxRate     = 1e9 // a unit each nanosecond
)

// Spec says what to load, how hard and how long. Zero fields take the test's
// defaults (Complete).
type Spec struct {
	Test      Test           `json:"test"`
	Target    netip.AddrPort `json:"target"`              // a server of package serve
	From      netip.Prefix   `json:"from,omitzero"`       // source addresses, taken in turn; none: the system's choice
	Duration  time.Duration  `json:"duration_ns"`         // of the load; what is in flight then may take Timeout more
	Flows     int            `json:"flows"`               // connections, streams, or UDP sockets
	Size      int            `json:"size"`                // of a request, a datagram, or a stream's frames, in bytes
	Reply     int            `json:"reply,omitempty"`     // tcp-rr, tcp-crr: size of a response, in bytes
	Window    int            `json:"window,omitempty"`    // udp-rr: datagrams in flight for each flow
	Rate      float64        `json:"rate,omitempty"`      // units per second over all flows (open loop); 0: closed loop
	Think     time.Duration  `json:"think_ns,omitempty"`  // tcp-rr, closed loop: pause after each response
	Direction Direction      `json:"direction,omitempty"` // of a stream
	Single    bool           `json:"single,omitempty"`    // UDP: no runs (UDP_SEGMENT)
	Threads   int            `json:"threads"`             // UDP: OS threads
	Timeout   time.Duration  `json:"timeout_ns"`          // after which an answer counts as lost

	// Enter runs what opens sockets: lab.Namespace.Do puts them into a namespace.
	// Nil: the caller's.
	Enter func(func() error) error `json:"-"`
}

// Complete fills in the defaults and says what is wrong with the rest.
func (s Spec) Complete() (Spec, error) {
	d, ok := defaults(s.Test)
	if !ok {
		return s, fmt.Errorf("no such load: %q", s.Test)
	}
	fill(&s.Duration, 5*time.Second)
	fill(&s.Timeout, time.Second)
	fill(&s.Flows, d.Flows)
	fill(&s.Size, d.Size)
	fill(&s.Reply, d.Reply)
	fill(&s.Window, d.Window)
	fill(&s.Rate, d.Rate)
	fill(&s.Direction, d.Direction)
	fill(&s.Threads, runtime.NumCPU())
	s.Threads = min(s.Threads, s.Flows)
	if s.Enter == nil {
		s.Enter = func(fn func() error) error { return fn() }
	}
	return s, s.check()
}

// defaults are the fields that differ from test to test.
func defaults(t Test) (Spec, bool) {
	switch t {
	case TCPStream:
		return Spec{Flows: 1, Size: 16 << 10, Direction: Up}, true
	case TCPRR, TCPCRR:
		return Spec{Flows: 16, Size: 128, Reply: 1024}, true
	case TCPIdle:
		return Spec{Flows: 1000, Size: 128, Reply: 128}, true
	case UDPRR:
		return Spec{Flows: 16, Size: 1200, Window: 32}, true
	case UDPStream:
		return Spec{Flows: 1, Size: 1200, Rate: 10_000, Direction: Up}, true
	case UDPChurn:
		return Spec{Flows: 64, Size: 128, Window: 1}, true
	case UDPFlood:
		return Spec{Flows: 4, Size: 1200, Direction: Up}, true
	}
	return Spec{}, false
}

// fill sets a field that is zero.
func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (s Spec) check() error {
	udp := s.Test == UDPRR || s.Test == UDPStream || s.Test == UDPChurn || s.Test == UDPFlood
	var errs []error
	refuse := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	refuse(!s.Target.IsValid() || s.Target.Port() == 0, "no target address and port")
	refuse(s.Duration < 0 || s.Duration > maxDuration, "duration %v is not within 0 to %v", s.Duration, maxDuration)
	refuse(s.Test == UDPFlood && s.Duration > maxFlood, "a flood lasts %v at most", maxFlood)
	refuse(s.Timeout < 0 || s.Think < 0, "negative timeout or think time")
	refuse(!(s.Rate >= 0 && s.Rate <= maxRate), "rate %v is not within 0 to %v", s.Rate, maxRate)
	refuse(s.Threads < 1, "threads %d are less than 1", s.Threads)
	refuse(s.Direction != "" && s.Direction != Up && s.Direction != Down && s.Direction != Both, "direction %q: want up, down or both", s.Direction)
	refuse(s.Flows < 1 || s.Flows > maxFlows, "flows %d are not within 1 to %d", s.Flows, maxFlows)
	refuse(s.Size < frame.HeaderSize, "size %d is less than a frame's header of %d bytes", s.Size, frame.HeaderSize)
	refuse(udp && s.Size > frame.MaxSize, "a datagram of %d bytes is more than %d", s.Size, frame.MaxSize)
	refuse(s.Test == TCPStream && s.Size > frame.MaxSize, "a stream's frame of %d bytes is more than %d", s.Size, frame.MaxSize)
	refuse(s.Size > frame.MaxStreamFrame || s.Reply > frame.MaxStreamFrame, "a request or response is more than %d bytes", frame.MaxStreamFrame)
	refuse(s.Reply != 0 && s.Reply < frame.HeaderSize, "reply %d is less than a frame's header of %d bytes", s.Reply, frame.HeaderSize)
	refuse(s.Window < 0 || s.Window > maxWindow, "window %d is not within 1 to %d", s.Window, maxWindow)
	refuse(s.Test == UDPStream && s.Direction == Both, "udp-stream goes up or down")
	refuse(s.Test == UDPFlood && s.Direction != Up, "udp-flood goes up")
	for _, given := range []struct {
		is   bool
		name string
		by   []Test
	}{
		{s.Direction != "", "direction", []Test{TCPStream, UDPStream, UDPFlood}},
		{s.Reply != 0, "reply", []Test{TCPRR, TCPCRR, TCPIdle}},
		{s.Window != 0, "window", []Test{UDPRR, UDPChurn}},
		{s.Think != 0, "think", []Test{TCPRR}},
		{s.Rate != 0, "rate", []Test{TCPRR, TCPCRR, UDPRR, UDPStream, UDPChurn, UDPFlood}},
		{s.Single, "single", []Test{UDPRR, UDPStream, UDPChurn, UDPFlood}},
	} {
		refuse(given.is && !slices.Contains(given.by, s.Test), "%s has no %s", s.Test, given.name)
	}
	refuse(s.Think != 0 && s.Rate != 0, "a rate (open loop) leaves no time to think")
	refuse(s.From.IsValid() && s.From.Addr().Is4() != s.Target.Addr().Is4(), "source prefix %v and target %v are of two families", s.From, s.Target)
	return errors.Join(errs...)
}

// maxWindow keeps what is in flight within what a frame.Tracker can sort.
const maxWindow = 4096

// source is the address that flow i binds: the addresses of From in turn, without
// the prefix's first and last; any port.
func (s Spec) source(i int) netip.AddrPort {
	if !s.From.IsValid() {
		if s.Target.Addr().Is4() {
			return netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
		}
		return netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
	}
	host := min(s.From.Addr().BitLen()-s.From.Bits(), 20)
	n := uint32(i)
	if size := uint32(1) << host; size > 2 {
		n = 1 + n%(size-2)
	} else {
		n %= size
	}
	b := s.From.Masked().Addr().AsSlice()
	for j := len(b) - 1; n > 0; j-- {
		b[j] |= byte(n)
		n >>= 8
	}
	a, _ := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(a, 0)
}
