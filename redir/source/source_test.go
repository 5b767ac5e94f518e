package source

import (
	"net/netip"
	"strings"
	"testing"
)

// TestParse asserts that each form is read and written alike, and what it comes
// to for a client of either family.
func TestParse(t *testing.T) {
	client4, client6 := netip.MustParseAddrPort("10.0.0.2:4000"), netip.MustParseAddrPort("[fd00::2]:4000")
	for _, c := range []struct{ text, for4, for6 string }{
		{"gateway", "invalid AddrPort", "invalid AddrPort"},
		{"client", "10.0.0.2:4000", "[fd00::2]:4000"},
		{"client-address", "10.0.0.2:0", "[fd00::2]:0"},
		{"203.0.113.5", "203.0.113.5:0", "invalid AddrPort"},
		{"2001:db8::5", "invalid AddrPort", "[2001:db8::5]:0"},
		{"203.0.113.5,2001:db8::5", "203.0.113.5:0", "[2001:db8::5]:0"},
	} {
		s, err := Parse(c.text)
		if err != nil || s.String() != c.text {
			t.Errorf("%s: %v, %v", c.text, s, err)
			continue
		}
		if for4, for6 := s.For(client4).String(), s.For(client6).String(); for4 != c.for4 || for6 != c.for6 {
			t.Errorf("%s: for IPv4 %s, for IPv6 %s", c.text, for4, for6)
		}
	}
}

// TestParseRefuses asserts that what can be no source is refused with a remedy.
func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "want gateway, client, client-address or an address",
		"clients":                 "want gateway, client, client-address or an address",
		"203.0.113.5,203.0.113.6": "two addresses of one family",
		"0.0.0.0":                 "want one that is routed here",
		"::1":                     "want one that is routed here",
		"fe80::1":                 "want one that is routed here",
		"224.0.0.1":               "want one that is routed here",
		"203.0.113.5:80":          "want gateway",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// TestOr asserts that only what is not said gives way.
func TestOr(t *testing.T) {
	all, own := Source{Kind: Client}, Source{Kind: Gateway}
	if (Source{}).Or(all) != all || own.Or(all) != own {
		t.Error("a source that is said gives way, or one that is not does not")
	}
}
