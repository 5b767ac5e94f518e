package nearest

import "testing"

func TestNearest(t *testing.T) {
	known := []string{"listen", "listen_port", "network", "tag", "type", "udp_timeout"}
	for text, want := range map[string]string{
		"port": "listen_port", "listenport": "listen_port", "Listen": "listen", "udp-timeout": "udp_timeout",
		"": "tag", "net": "network", "networks": "network",
	} {
		if got := Word(text, known); got != want {
			t.Errorf("%q: %q (%d), want %q (%d)", text, got, distance(text, got), want, distance(text, want))
		}
	}
}
