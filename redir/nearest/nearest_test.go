package nearest

import "testing"

func TestNearest(t *testing.T) {
	known := []string{"listen", "listen_port", "network", "tag", "type", "udp_timeout"}
	for text, want := range map[string]string{
		"port": "listen_port", "listenport": "listen_port", "Listen": "listen", "udp-timeout": "udp_timeout",
		"": "tag", "net": "network", "networks": "network", "tpye": "type",
	} {
		if got := Word(text, known); got != want {
			t.Errorf("%q: %q (%d), want %q (%d)", text, got, Distance(text, got), want, Distance(text, want))
		}
	}
}

func TestClose(t *testing.T) {
	known := []string{"listen_port", "network", "udp_timeout", "mark"}
	for text, want := range map[string]bool{"port": true, "netwrok": true, "udp_tiemout": true, "mrak": true, "amrk": true, "kram": false, "experimental": false, "dns": false, "": false, "ud": false} {
		if word, got := Close(text, known); got != want {
			t.Errorf("%q: %q, %v", text, word, got)
		}
	}
	if word, ok := Close("a", nil); word != "" || ok {
		t.Errorf("of nothing: %q, %v", word, ok)
	}
}
