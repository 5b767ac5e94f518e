// Package size reads and writes numbers of bytes as people give them: 65536, 64KiB, 1MiB.
package size

import (
	"fmt"
	"strconv"
	"strings"
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

// UnmarshalText is what the command line and the file take.
func (b *Bytes) UnmarshalText(text []byte) error {
	number, unit := strings.TrimSpace(string(text)), Bytes(1)
	for _, u := range units {
		if head, ok := strings.CutSuffix(number, u.suffix); ok {
			number, unit = head, u.bytes
			break
		}
	}
	n, err := strconv.ParseUint(strings.TrimSpace(number), 10, 31)
	if err != nil || n > uint64(most/unit) {
		return fmt.Errorf("%q is no size; want bytes, or a number with KiB or MiB, such as 256KiB", text)
	}
	*b = Bytes(n) * unit
	return nil
}
