package ruleset

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
)

// million is a million values of either kind, as lists have them.
func million() (values []string) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 500_000 {
		a := netip.AddrFrom4([4]byte{byte(1 + r.IntN(223)), byte(r.Uint32()), byte(r.Uint32())})
		if r.IntN(4) == 0 {
			a = netip.AddrFrom16([16]byte{0x2a, 0, byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32())})
		}
		values = append(values, netip.PrefixFrom(a, a.BitLen()*3/8+r.IntN(12)).String())
		values = append(values, fmt.Sprintf("%x.example.%c%c", r.Uint64(), 'a'+r.IntN(26), 'a'+r.IntN(26)))
	}
	return values
}

// BenchmarkList reads a million lines.
func BenchmarkList(b *testing.B) {
	var list bytes.Buffer
	for _, value := range million() {
		list.WriteString(value + "\n")
	}
	b.SetBytes(int64(list.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("list", List, bytes.NewReader(list.Bytes())); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSource reads a million values in JSON.
func BenchmarkSource(b *testing.B) {
	rule := map[string][]string{}
	for i, value := range million() {
		key := []string{"ip_cidr", "domain_suffix"}[i&1]
		rule[key] = append(rule[key], value)
	}
	text, err := json.MarshalIndent(map[string]any{"version": 3, "rules": []any{rule}}, "", "  ")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("source", Source, bytes.NewReader(text)); err != nil {
			b.Fatal(err)
		}
	}
}
