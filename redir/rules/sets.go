package rules

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// setsFor lists the sets that the chains of the Spec name.
func setsFor(s Spec) []set {
	var sets []set
	if ifaces := s.Ingress(); len(ifaces) > 0 {
		if s.Output && s.Via == TProxy { // what comes round through lo
			ifaces = append(ifaces, "lo")
		}
		sets = append(sets, ifaceSet(setIfaces, ifaces))
	}
	sets = append(sets, s.waySets()...)
	if len(s.Oifaces) > 0 && s.Output {
		sets = append(sets, ifaceSet(setOifaces, s.Oifaces))
	}
	if len(s.Dports) > 0 {
		sets = append(sets, portSet(setDports, s.Dports))
	}
	if len(s.Include) > 0 {
		sets = append(sets, prefixSets(setInclude4, setInclude6, s.Include)...)
	}
	if len(s.Exclude) > 0 {
		sets = append(sets, prefixSets(setExclude4, setExclude6, s.Exclude)...)
	}
	if len(s.ExcludeUIDs) > 0 {
		sets = append(sets, uidSet(s.ExcludeUIDs))
	}
	if len(s.Sources.Addrs) > 0 && s.takesReplies() {
		var all []netip.Prefix
		for _, addr := range s.Sources.Addrs {
			all = append(all, netip.PrefixFrom(addr, addr.BitLen()))
		}
		sets = append(sets, prefixSets(setSources4, setSources6, all)...)
	}
	if s.zoned() {
		sets = append(sets, zoneSets(s)...)
	}
	return append(sets, s.decisionSets().sets...)
}

// ifaceSet holds names and patterns of which none covers another. A pattern is
// the interval from its beginning to the last name that begins so.
func ifaceSet(setName string, names []string) set {
	result := set{name: setName, kind: kindIface, interval: slices.ContainsFunc(names, isPattern)}
	for _, name := range interfaces(names) {
		first := make([]byte, 16) // IFNAMSIZ
		last := first
		if stem, ok := strings.CutSuffix(name, anyTail); ok {
			last = bytes.Repeat([]byte{0xff}, len(first))
			copy(first, stem)
			copy(last, stem)
		} else {
			copy(first, name)
		}
		result.elements = append(result.elements, element{text: fmt.Sprintf("%q", name), first: first, last: last})
	}
	return result
}

func uidSet(uids []uint32) set {
	uids = slices.Clone(uids)
	slices.Sort(uids)
	result := set{name: setUIDs, kind: kindUID}
	for _, uid := range slices.Compact(uids) {
		key := binary.NativeEndian.AppendUint32(nil, uid)
		result.elements = append(result.elements, element{text: fmt.Sprint(uid), first: key})
	}
	return result
}

// portSet merges ranges that touch or overlap.
func portSet(name string, ranges []PortRange) set {
	ranges = slices.Clone(ranges)
	slices.SortFunc(ranges, func(a, b PortRange) int { return cmp.Compare(a.Lo, b.Lo) })
	merged := ranges[:1]
	for _, next := range ranges[1:] {
		if last := &merged[len(merged)-1]; int(next.Lo) <= int(last.Hi)+1 {
			last.Hi = max(last.Hi, next.Hi)
		} else {
			merged = append(merged, next)
		}
	}
	result := set{name: name, kind: kindPort, interval: true}
	for _, r := range merged {
		result.elements = append(result.elements, element{
			text:  r.String(),
			first: binary.BigEndian.AppendUint16(nil, r.Lo),
			last:  binary.BigEndian.AppendUint16(nil, r.Hi),
		})
	}
	return result
}

// prefixSets sorts prefixes into a set for each family and leaves out those
// that lie within another: the kernel refuses overlapping intervals.
func prefixSets(name4, name6 string, prefixes []netip.Prefix) []set {
	prefixes = slices.Clone(prefixes)
	slices.SortFunc(prefixes, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	sets := []set{
		{name: name4, kind: kindIPv4, interval: true},
		{name: name6, kind: kindIPv6, interval: true},
	}
	var outer netip.Prefix
	for _, prefix := range prefixes {
		if outer.IsValid() && outer.Overlaps(prefix) {
			continue
		}
		outer = prefix
		into := &sets[0]
		if prefix.Addr().Is6() {
			into = &sets[1]
		}
		into.elements = append(into.elements, prefixElement(prefix))
	}
	return sets
}

func prefixElement(prefix netip.Prefix) element {
	last := prefix.Addr().AsSlice()
	for bit := prefix.Bits(); bit < len(last)*8; bit++ {
		last[bit/8] |= 0x80 >> (bit % 8)
	}
	text := prefix.String()
	if prefix.IsSingleIP() {
		text = prefix.Addr().String()
	}
	return element{text: text, first: prefix.Addr().AsSlice(), last: last}
}
