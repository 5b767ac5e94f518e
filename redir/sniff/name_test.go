package sniff

import (
	"net/netip"
	"strings"
	"testing"
)

func TestNormal(t *testing.T) {
	label := strings.Repeat("a", mostLabel)
	longest := strings.Repeat(label+".", 3) + strings.Repeat("b", mostName-3*(mostLabel+1))
	var room nameRoom
	for name, want := range map[string]string{
		"example.com":           "example.com",
		"EXAMPLE.com.":          "example.com",
		"localhost":             "localhost",
		"xn--bcher-kva.example": "xn--bcher-kva.example",
		"_dns.a-b.example":      "_dns.a-b.example",
		"4.example":             "4.example",
		"1.2.3.4a":              "1.2.3.4a",
		label + ".example":      label + ".example",
		longest:                 longest,
		longest + ".":           longest,

		"":                  "",
		".":                 "",
		"..":                "",
		"a..b":              "",
		".example.com":      "",
		"example.com..":     "",
		"192.0.2.1":         "",
		"192.0.2.1.":        "",
		"127.1":             "",
		"2130706433":        "",
		"2001:db8::1":       "",
		"[2001:db8::1]":     "",
		"a b":               "",
		"a\x00b":            "",
		"bücher.example":    "",
		"*.example.com":     "",
		label + "a.example": "",
		longest + "b":       "",
	} {
		if got := room.normal([]byte(name)); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

// checkName asserts what rules rely on.
func checkName(t *testing.T, name string) {
	t.Helper()
	var room nameRoom
	if name == "" {
		return
	}
	if got := room.normal([]byte(name)); got != name || strings.ToLower(name) != name || len(name) > mostName {
		t.Errorf("%q is none", name)
	}
	if _, err := netip.ParseAddr(name); err == nil {
		t.Errorf("%q is an address", name)
	}
}
