package main

import (
	"strings"
	"testing"
)

// TestForward asserts that each form is read and written alike.
func TestForward(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		":8080=10.0.0.5:80": ":8080=10.0.0.5:80", ":8080=10.0.0.5": ":8080=10.0.0.5:8080", ":53=[fd00::5]:5353,udp": ":53=[fd00::5]:5353,udp",
		"222.173.190.239:51966=backend.example:80,tcp": "222.173.190.239:51966=backend.example:80,tcp",
		"[fd00::1]:80=127.0.0.1:8080,tcp,udp":          "[fd00::1]:80=127.0.0.1:8080", ":80=::1": ":80=[::1]:80",
	} {
		var f, again forward
		if err := f.UnmarshalText([]byte(text)); err != nil || f.String() != want {
			t.Errorf("%s: %v, %v, want %s", text, f, err, want)
		}
		if err := again.UnmarshalText([]byte(f.String())); err != nil || again != f {
			t.Errorf("%s: %v, then %v (%v)", text, f, again, err)
		}
	}
	for text, want := range map[string]string{
		"": "want LISTEN=DEST", ":80": "want LISTEN=DEST", "=10.0.0.5:80": "no address to listen on", ":80=": "neither an address nor a name",
		":80=10.0.0.5:0": "no port from 1 to 65535", ":80=10.0.0.5:80,icmp": "no network", ":80=10.0.0.5:80,": "no network",
	} {
		if err := new(forward).UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
