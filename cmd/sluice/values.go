package main

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"sluice/redir"
	"sluice/redir/socket"
	"sluice/redir/value"
)

// listenAddr is ADDR on the command line: :PORT (both families), IPV4:PORT or
// [IPV6]:PORT.
type listenAddr struct{ netip.AddrPort }

func (a *listenAddr) UnmarshalText(text []byte) error {
	s := string(text)
	const want = "want :PORT, IPV4:PORT or [IPV6]:PORT, such as :12345"
	if port, ok := strings.CutPrefix(s, ":"); ok {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return fmt.Errorf("%q: %q is no port from 1 to 65535; %s", s, port, want)
		}
		a.AddrPort = netip.AddrPortFrom(netip.Addr{}, uint16(n))
		return nil
	}
	ap, err := netip.ParseAddrPort(s)
	if err != nil || ap.Port() == 0 {
		return fmt.Errorf("%q is no address to listen on; %s", s, want)
	}
	if ap.Addr().Zone() != "" {
		return fmt.Errorf("%q: an address with a zone cannot be listened on; leave %%%s out", s, ap.Addr().Zone())
	}
	a.AddrPort = ap
	return nil
}

func (a listenAddr) String() string {
	if !a.Addr().IsValid() {
		return ":" + strconv.Itoa(int(a.Port()))
	}
	return a.AddrPort.String()
}

// clientBound is what one client may have: a number, auto (or 0) or off.
type clientBound int

func (b *clientBound) UnmarshalText(text []byte) error {
	switch s := strings.ToLower(strings.TrimSpace(string(text))); {
	case s == "auto" || s == "0":
		*b = 0
	case value.IsOff(s):
		*b = redir.NoBound
	default:
		n, err := value.Unsigned(s, 31)
		if err != nil || n > redir.MostClientBound {
			return fmt.Errorf("%q: want a number from 1 to %d, auto or off", s, redir.MostClientBound)
		}
		*b = clientBound(n)
	}
	return nil
}

func (b clientBound) String() string {
	switch b {
	case 0:
		return "auto"
	case redir.NoBound:
		return "off"
	}
	return strconv.Itoa(int(b))
}

// keepalive is IDLE[,INTERVAL[,COUNT]] or off; empty where it is not given.
type keepalive struct {
	socket.Keepalive
	given bool
}

// What the rest of a keepalive is where only its first parts are given.
const (
	keepaliveInterval = 15 * time.Second
	keepaliveCount    = 5
)

func (k *keepalive) UnmarshalText(text []byte) error {
	const want = "want IDLE[,INTERVAL[,COUNT]], such as 45s,15s,5, or off"
	*k = keepalive{given: true}
	if on, err := value.Switch(string(text)); err == nil && !on {
		return nil
	}
	parts := strings.Split(string(text), ",")
	if len(parts) > 3 {
		return fmt.Errorf("%q: too many parts; %s", text, want)
	}
	k.Interval, k.Count = keepaliveInterval, keepaliveCount
	for i, into := range []*time.Duration{&k.Idle, &k.Interval} {
		if i >= len(parts) {
			break
		}
		d, err := value.Duration(parts[i])
		if err != nil {
			return fmt.Errorf("%q: %q is no duration; %s", text, parts[i], want)
		}
		*into = d
	}
	if len(parts) == 3 {
		n, err := value.Integer(parts[2], 32)
		if err != nil {
			return fmt.Errorf("%q: %q is no number; %s", text, parts[2], want)
		}
		k.Count = int(n)
	}
	if !k.On() {
		return fmt.Errorf("%q: the idle time must be more than 0; %s", text, want)
	}
	if err := k.Validate(); err != nil {
		return fmt.Errorf("%q: %w", text, err)
	}
	return nil
}

func (k keepalive) String() string {
	switch {
	case !k.given:
		return ""
	case !k.On():
		return "off"
	}
	return fmt.Sprintf("%s,%s,%d", value.DurationText(k.Idle), value.DurationText(k.Interval), k.Count)
}

// or is k, or other where k is not given.
func (k keepalive) or(other keepalive) socket.Keepalive {
	if !k.given {
		return other.Keepalive
	}
	return k.Keepalive
}
