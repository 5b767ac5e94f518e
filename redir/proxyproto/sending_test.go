package proxyproto

import (
	"strings"
	"testing"
)

func TestSending(t *testing.T) {
	for text, want := range map[string]struct {
		s      Sending
		header string
	}{
		"off":    {SendNone, ""},
		"v1":     {SendV1, string(AppendV1(nil, client4, dest4))},
		"v2":     {SendV2, string(AppendV2(nil, TCP, client4, dest4))},
		"v2+udp": {SendV2UDP, string(AppendV2(nil, TCP, client4, dest4))},
	} {
		s, err := ParseSending(text)
		if err != nil || s != want.s || s.String() != text || s.On() != (want.header != "") || s.Datagrams() != (text == "v2+udp") {
			t.Errorf("%s: %v, %v", text, s, err)
		}
		if got := string(s.Append([]byte("x"), client4, dest4)); got != "x"+want.header {
			t.Errorf("%s: %q", text, got)
		}
		if s.Or(SendV1) != s || SendDefault.Or(s) != s {
			t.Errorf("%s gives way, or what is not said does not", text)
		}
	}
	for _, text := range []string{"", "on", "V1", "3", "v1+udp"} {
		if _, err := ParseSending(text); err == nil || !strings.Contains(err.Error(), "want off, v1, v2 or v2+udp") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
