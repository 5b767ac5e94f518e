package ruleset

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Ports are ranges of ports, sorted and apart.
type Ports []PortRange

// PortRange is the ports from Low to High, both of them in it.
type PortRange struct{ Low, High uint16 }

// Contain reports whether the port is one of them; of none, no port is.
func (p Ports) Contain(port uint16) bool {
	i := sort.Search(len(p), func(i int) bool { return p[i].High >= port })
	return i < len(p) && p[i].Low <= port
}

// Cover reports whether each port of other is one of them.
func (p Ports) Cover(other Ports) bool {
	return !slices.ContainsFunc(other, func(r PortRange) bool {
		return !slices.ContainsFunc(p, func(own PortRange) bool { return own.Low <= r.Low && r.High <= own.High })
	})
}

// PortsOf are the ports of ranges, which it sorts and of which none is turned round.
func PortsOf(ranges []PortRange) Ports {
	slices.SortFunc(ranges, func(a, b PortRange) int { return cmp.Compare(a.Low, b.Low) })
	var apart Ports
	for _, r := range ranges {
		last := len(apart) - 1
		if last >= 0 && int(r.Low) <= int(apart[last].High)+1 {
			apart[last].High = max(apart[last].High, r.High)
		} else {
			apart = append(apart, r)
		}
	}
	return apart
}

// ParsePortRange reads LOW:HIGH; without LOW it begins with 0, without HIGH it ends
// with 65535.
func ParsePortRange(text string) (PortRange, error) {
	low, high, both := strings.Cut(text, ":")
	from, err := portOr(low, 0)
	to, err2 := portOr(high, 1<<16-1)
	switch {
	case !both || err != nil || err2 != nil || low == "" && high == "":
		return PortRange{}, fmt.Errorf("%.20q: want a range of ports, as 1000:2000, :3000 or 4000:", text)
	case from > to:
		return PortRange{}, fmt.Errorf("%.20q: the range is turned round: want %d:%d", text, to, from)
	}
	return PortRange{from, to}, nil
}

func portOr(text string, otherwise uint16) (uint16, error) {
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseUint(text, 10, 16)
	return uint16(n), err
}
