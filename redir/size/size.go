// Package size reads and writes numbers of bytes as people give them: 65536, 64KiB, 1MiB.
package size

import (
	"fmt"
	"strconv"
	"strings"

	"sluice/redir/value"
)

// Bytes is a number of bytes.
type Bytes int64

var units = []struct {
	suffix string
	bytes  Bytes
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}, {"B", 1}}

// most bounds what UnmarshalText takes.
const most = 1 << 40

// String is the size in the largest unit that leaves a whole number.
func (b Bytes) String() string {
	for _, u := range units[:3] {
		if b != 0 && b%u.bytes == 0 {
			return strconv.FormatInt(int64(b/u.bytes), 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// UnmarshalText is Parse.
func (b *Bytes) UnmarshalText(text []byte) (err error) {
	*b, err = Parse(string(text))
	return err
}

// Parse reads a size: bytes, in any form of a number, or a number with a unit, in
// capitals or not.
func Parse(text string) (Bytes, error) {
	number, unit := strings.TrimSpace(text), Bytes(1)
	for _, u := range units {
		if at := len(number) - len(u.suffix); at > 0 && strings.EqualFold(number[at:], u.suffix) && !strings.HasPrefix(number, "0x") {
			number, unit = number[:at], u.bytes
			break
		}
	}
	n, err := value.Unsigned(number, 63)
	if err != nil || n > uint64(most/unit) {
		return 0, fmt.Errorf("%q is no size; want bytes, or a number with KiB, MiB or GiB, such as 256KiB", text)
	}
	return Bytes(n) * unit, nil
}
