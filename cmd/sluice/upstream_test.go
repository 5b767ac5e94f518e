package main

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"sluice/redir/outbound"
	"sluice/redir/resolve"
)

func TestUpstream(t *testing.T) {
	socks := func(host string, port uint16, user, password string) outbound.Spec {
		return outbound.Spec{Kind: outbound.Socks, Server: resolve.Target{Host: host, Port: port}, User: user, Password: outbound.Secret(password)}
	}
	http := socks("proxy.example", 3128, "", "")
	http.Kind = outbound.HTTP
	for text, want := range map[string]outbound.Spec{
		"direct:":                        {Kind: outbound.Direct},
		"block:":                         {Kind: outbound.Block},
		"block":                          {Kind: outbound.Block},
		"socks5://192.0.2.7:1081":        socks("192.0.2.7", 1081, "", ""),
		"socks5://192.0.2.7/":            socks("192.0.2.7", 1080, "", ""),
		"socks5h://Proxy.example":        socks("proxy.example", 1080, "", ""),
		"socks://[2001:db8::7]:1":        socks("2001:db8::7", 1, "", ""),
		"socks5://[2001:db8::7]":         socks("2001:db8::7", 1080, "", ""),
		"socks5://joe@192.0.2.7":         socks("192.0.2.7", 1080, "joe", ""),
		"socks5://joe:mystery@192.0.2.7": socks("192.0.2.7", 1080, "joe", "mystery"),
		"socks5://j%40e:my:st%2Fe%25ry%3a@[::ffff:1.2.3.4]:9": socks("1.2.3.4", 9, "j@e", "my:st/e%ry:"),
		"socks5://joe:my@st/ry@192.0.2.7":                     socks("192.0.2.7", 1080, "joe", "my@st/ry"),
		"http://proxy.example:3128/":                          http,
	} {
		var u upstreamURL
		if err := u.UnmarshalText([]byte(text)); err != nil || u.err != nil {
			t.Errorf("%s: %v, %v", text, err, u.err)
		}
		want.Tag = upstreamTag
		if !reflect.DeepEqual(u.spec, want) {
			t.Errorf("%s: %+v", text, u.spec)
		}
		if shown := fmt.Sprintf("%v %+v %#v %s", u, u, u, &u); strings.Contains(shown, "myst") {
			t.Errorf("%s shows in %s", text, shown)
		}
	}
	for text, want := range map[string]string{
		"":                                  "want socks5://",
		"192.0.2.7:1080":                    "want socks5://",
		"joe:mystery@192.0.2.7":             "want socks5://",
		"ftp://joe:mystery@192.0.2.7":       "want socks5://",
		"socks5:joe:mystery@192.0.2.7":      "want socks5://",
		"socks5://joe:mystery.192.0.2.7":    "want socks5://",
		"socks5://joe:mys%tery@192.0.2.7":   "want socks5://",
		"socks5://joe:mystery@2001:db8::7":  "",
		"socks5://joe:mystery@":             "want socks5://",
		"socks5://joe:mystery@a b":          "want socks5://",
		"socks5://joe:mystery@192.0.2.7/a":  "want socks5://",
		"socks4://joe:mystery@192.0.2.7":    "SOCKS5 only",
		"socks4a://joe:mystery@192.0.2.7":   "SOCKS5 only",
		"https://joe:mystery@192.0.2.7":     "no TLS",
		"http://joe:mystery@192.0.2.7":      "port is to be named",
		"http://joe:mystery@192.0.2.7:port": "want socks5://",
		"direct://192.0.2.7":                "want socks5://",
	} {
		_, err := parseUpstream(text)
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", text, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %q", text, err, want)
		case err != nil && strings.Contains(err.Error(), "myst"):
			t.Errorf("it shows in %v", err)
		}
	}
}

func TestSecretIn(t *testing.T) {
	for text, want := range map[string]string{
		"socks5://joe:mystery@192.0.2.7": "mystery", "joe:mystery@192.0.2.7": "mystery", "socks5:joe:mystery@192.0.2.7": "joe:mystery",
		"socks5://joe:my@st:ery@h": "my@st:ery", "socks5://joe@h": "", "socks5://[2001:db8::7]:1080": "", "": "", "direct:": "",
	} {
		from, to := secretIn(text)
		if got := text[from:to]; got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
