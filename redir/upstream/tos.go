package upstream

import (
	"fmt"
	"strconv"
	"strings"
)

// TOS is the type of service, or traffic class, of what leaves (ip(7) IP_TOS,
// ipv6(7) IPV6_TCLASS). The zero value leaves it to the kernel.
type TOS struct {
	Copy  bool  // that of what came
	Set   bool  // Value
	Value uint8 // without the two bits of ECN, which are the kernel's
}

// ECN is the part of a type of service that tells of congestion (RFC 3168).
const ECN = 3

const (
	tosOff  = "off"
	tosCopy = "copy"
)

// classes are the names of code points, RFC 2474 (cs), 2597 (af), 3246 (ef), 5865
// (va) and 8622 (le), as iptables and ip know them.
var classes = map[string]uint8{
	"cs0": 0, "cs1": 8, "cs2": 16, "cs3": 24, "cs4": 32, "cs5": 40, "cs6": 48, "cs7": 56, "be": 0, "df": 0,
	"af11": 10, "af12": 12, "af13": 14, "af21": 18, "af22": 20, "af23": 22,
	"af31": 26, "af32": 28, "af33": 30, "af41": 34, "af42": 36, "af43": 38,
	"ef": 46, "va": 44, "le": 1,
}

// ParseTOS reads what an operator writes: off, copy, a byte as 184 or 0xb8, or the
// name of a code point as ef.
func ParseTOS(text string) (TOS, error) {
	text = strings.ToLower(text)
	switch text {
	case tosOff:
		return TOS{}, nil
	case tosCopy:
		return TOS{Copy: true}, nil
	}
	if class, ok := classes[text]; ok {
		return TOS{Set: true, Value: class << 2}, nil
	}
	n, err := strconv.ParseUint(text, 0, 8)
	switch {
	case err != nil:
		return TOS{}, fmt.Errorf("tos %q: want copy, off, a number from 0 to 252 as 184 or 0xb8, or the name of a code point as ef, af41 or cs1", text)
	case n&ECN != 0:
		return TOS{}, fmt.Errorf("tos %s: its two low bits are those of ECN, which is TCP's own: want %#x (a code point is shifted by two)", text, n&^ECN)
	}
	return TOS{Set: true, Value: uint8(n)}, nil
}

// String is what ParseTOS reads.
func (t TOS) String() string {
	switch {
	case t.Copy:
		return tosCopy
	case t.Set:
		return fmt.Sprintf("%#x", t.Value)
	}
	return tosOff
}

// UnmarshalText is ParseTOS.
func (t *TOS) UnmarshalText(text []byte) (err error) {
	*t, err = ParseTOS(string(text))
	return err
}
