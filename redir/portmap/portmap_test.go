package portmap

import (
	"net/netip"
	"strings"
	"testing"
)

// rules parses each text.
func rules(t *testing.T, texts ...string) (all []Rule) {
	t.Helper()
	for _, text := range texts {
		r, err := Parse(text)
		if err != nil || r.String() != text {
			t.Fatalf("%s: %v, %v", text, r, err)
		}
		all = append(all, r)
	}
	return all
}

// TestMap asserts where each network's flows are dialled, and that rules make no
// chain.
func TestMap(t *testing.T) {
	t.Parallel()
	m, err := New(rules(t, "80=81", "tcp:81=82", "udp:53=5353", "tcp:53=54"))
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"192.0.2.1", "2001:db8::1"} {
		for _, c := range []struct{ port, tcp, udp uint16 }{{80, 81, 81}, {81, 82, 81}, {53, 54, 5353}, {443, 443, 443}} {
			dest := netip.AddrPortFrom(netip.MustParseAddr(host), c.port)
			tcp, udp := m.TCP(dest), m.UDP(dest)
			if tcp != netip.AddrPortFrom(dest.Addr(), c.tcp) || udp != netip.AddrPortFrom(dest.Addr(), c.udp) {
				t.Errorf("%v: TCP %v, UDP %v", dest, tcp, udp)
			}
		}
	}
}

// TestNone asserts that without rules, nothing is changed.
func TestNone(t *testing.T) {
	t.Parallel()
	m, err := New(nil)
	dest := netip.MustParseAddrPort("192.0.2.1:80")
	if err != nil || m.TCP(dest) != dest || m.UDP(dest) != dest {
		t.Errorf("%v, %v", m, err)
	}
}

// TestRefused asserts that what makes no sense is refused, with what would.
func TestRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "want two ports", "80": "want two ports", "80=": "want two ports", "0=80": "want two ports", "80=0": "want two ports",
		"80=65536": "want two ports", "sctp:80=81": "want two ports", "80-90=81": "want two ports", "80=80": "stands in for itself",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if _, err := New(rules(t, "80=81", "udp:80=82")); err == nil || err.Error() != "udp port 80 is mapped twice, to 81 and to 82" {
		t.Errorf("%v", err)
	}
	if _, err := New(rules(t, "tcp:80=81", "udp:80=82")); err != nil {
		t.Error(err)
	}
}
