package resolve

import (
	"strings"
	"testing"
)

// TestParseTarget asserts what each form comes to.
func TestParseTarget(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"10.0.0.5:80": "10.0.0.5:80", "10.0.0.5": "10.0.0.5:99", "[fd00::5]:80": "[fd00::5]:80", "[fd00::5]": "[fd00::5]:99",
		"fd00::5": "[fd00::5]:99", "::ffff:10.0.0.5": "10.0.0.5:99", "[::ffff:10.0.0.5]:80": "10.0.0.5:80", "127.0.0.1:8080": "127.0.0.1:8080",
		"Backend.Example:80": "backend.example:80", "backend": "backend:99", "backend.example.": "backend.example.:99", "a_b.c-d:1": "a_b.c-d:1",
	} {
		if got, err := ParseTarget(text, 99); err != nil || got.String() != want {
			t.Errorf("%s: %v, %v, want %s", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"": "neither an address nor a name", ":80": "neither an address nor a name", "10.0.0.5:0": "no port from 1 to 65535",
		"10.0.0.5:http": "no port from 1 to 65535", "10.0.0.256:80": "ends in a number", "1.2.3": "ends in a number",
		"0.0.0.0:80": "no host has this address", "[::]:80": "no host has this address", "[ff02::1]:80": "no host has this address",
		"[fe80::1%lan0]:80": "with a zone", "[10.0.0.5]:80": "no IPv6 address in brackets", "[a]:80": "no IPv6 address in brackets",
		"a..b:80": "neither an address nor a name", "a b:80": "neither an address nor a name", "http://a/:80": "neither an address nor a name",
		strings.Repeat("a", 64) + ":80": "neither an address nor a name", strings.Repeat("a.", 127) + "com:80": "253 characters",
	} {
		if got, err := ParseTarget(text, 99); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v, want %q", text, got, err, want)
		}
	}
}

// FuzzParseTarget asserts that what is taken is printed and read again the same.
func FuzzParseTarget(f *testing.F) {
	for _, text := range []string{"10.0.0.5:80", "[fd00::5]", "fd00::5", "backend.example.:80", "[::ffff:1.2.3.4]:1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		target, err := ParseTarget(text, 99)
		if err != nil {
			return
		}
		if again, err := ParseTarget(target.String(), 1); err != nil || again != target {
			t.Errorf("%q: %v, then %v (%v)", text, target, again, err)
		}
		if target.IsName() == target.AddrPort().IsValid() {
			t.Errorf("%q: both a name and an address, or neither", text)
		}
	})
}
