package shape

import (
	"fmt"
	"strings"

	"sluice/redir/size"
)

// Off, for a direction of a Limit, leaves it without a bound.
const Off = -1

// LeastRate is the lowest rate, in bytes a second: with less, a full packet takes
// more than a second and a half, and what a client began would hardly ever end.
const LeastRate = 1000

// Limit is how fast a client may be, in bytes a second: from it, and to it. The zero
// value says nothing, so that another limit holds.
type Limit struct{ Up, Down int64 }

// IsSet reports whether anything is said.
func (l Limit) IsSet() bool { return l != Limit{} }

// Bounds reports whether a direction has a bound.
func (l Limit) Bounds() bool { return l.Up > 0 || l.Down > 0 }

// Or is l, or other where l says nothing.
func (l Limit) Or(other Limit) Limit {
	if l.IsSet() {
		return l
	}
	return other
}

// off is how a direction without a bound is written.
const off = "off"

// String is UP,DOWN; empty where nothing is said.
func (l Limit) String() string {
	if !l.IsSet() {
		return ""
	}
	return text(l.Up) + "," + text(l.Down)
}

func text(rate int64) string {
	if rate <= 0 {
		return off
	}
	return size.Bytes(rate).String()
}

// UnmarshalText reads UP,DOWN. One value alone is what the flag of this name once
// took, and would be taken for something else.
func (l *Limit) UnmarshalText(in []byte) error {
	up, down, both := strings.Cut(string(in), ",")
	if !both {
		return fmt.Errorf("%q: bytes a second want two values, from the client and to it, as 1MiB,8MiB or off,1MiB; new connections a second are --client-connects now", in)
	}
	var read Limit
	for _, d := range []struct {
		text string
		into *int64
	}{{up, &read.Up}, {down, &read.Down}} {
		rate, err := parse(strings.TrimSpace(d.text))
		if err != nil {
			return fmt.Errorf("%q: %w", in, err)
		}
		*d.into = rate
	}
	*l = read
	return nil
}

func parse(text string) (int64, error) {
	if text == off {
		return Off, nil
	}
	var rate size.Bytes
	switch err := rate.UnmarshalText([]byte(text)); {
	case err != nil:
		return 0, fmt.Errorf("%q is no rate; want bytes a second, as 125000, 256KiB or 1MiB, or off", text)
	case rate == 0:
		return Off, nil
	case rate < LeastRate:
		return 0, fmt.Errorf("%s bytes a second are less than a packet; want %d at least, or off", text, LeastRate)
	}
	return int64(rate), nil
}
