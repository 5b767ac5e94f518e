package main

import (
	"strings"
	"testing"
)

func TestListenAddr(t *testing.T) {
	for text, want := range map[string]string{
		":12345": ":12345", "[::]:12345": "[::]:12345", "0.0.0.0:1": "0.0.0.0:1", "10.0.0.1:65535": "10.0.0.1:65535",
		"": "!no address", ":": "!no port", ":0": "!no port", ":65536": "!no port", "10.0.0.1": "!no address",
		"10.0.0.1:0": "!no address", "[fe80::1%eth0]:1": "!leave %eth0 out", "localhost:1": "!no address", "12345": "!no address",
	} {
		var a listenAddr
		err := a.UnmarshalText([]byte(text))
		if problem, wrong := strings.CutPrefix(want, "!"); wrong {
			if err == nil || !strings.Contains(err.Error(), problem) {
				t.Errorf("%q: %v, want %q", text, err, problem)
			}
		} else if err != nil || a.String() != want {
			t.Errorf("%q: %s, %v", text, a, err)
		}
	}
}
