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

func TestSize(t *testing.T) {
	for text, want := range map[string]string{
		"65536": "64KiB", "64KiB": "64KiB", "1MiB": "1MiB", "1 GiB": "1GiB", "3K": "3KiB", "1000B": "1000", "0": "0",
		"": "!", "-1": "!", "1.5MiB": "!", "x": "!", "99999999999G": "!", "2147483647GiB": "!",
	} {
		var z size
		err := z.UnmarshalText([]byte(text))
		if want == "!" {
			if err == nil || !strings.Contains(err.Error(), "no size") {
				t.Errorf("%q: %v, %v", text, z, err)
			}
			continue
		}
		if err != nil || z.String() != want {
			t.Errorf("%q: %s, %v", text, z, err)
		}
		var again size
		if err := again.UnmarshalText([]byte(z.String())); err != nil || again != z {
			t.Errorf("%q: %s is read as %s, %v", text, z, again, err)
		}
	}
}
