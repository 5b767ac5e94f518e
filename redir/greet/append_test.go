package greet

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func TestAppend(t *testing.T) {
	const addr6 = "\x20\x01\x0d\xb8\x00\x00\x00\x07\x00\x00\x00\x00\x00\x00\x00\x09\x01\xbb"
	for _, c := range []struct {
		user string
		r    Request
		want string
	}{
		{"", Connect(dest4), "\x05\x01\x00" + "\x05\x01\x00\x01\xc6\x33\x64\x07\x01\xbb"},
		{"", Connect(dest6), "\x05\x01\x00" + "\x05\x01\x00\x04" + addr6},
		{"", Connect(netip.MustParseAddrPort("[::ffff:198.51.100.7]:443")), "\x05\x01\x00" + "\x05\x01\x00\x01\xc6\x33\x64\x07\x01\xbb"},
		{"joe", Connect(dest4), "\x05\x01\x02" + "\x01\x03joe\x03joe" + "\x05\x01\x00\x01\xc6\x33\x64\x07\x01\xbb"},
		{"", ConnectName("example.com", 80), "\x05\x01\x00" + "\x05\x01\x00\x03\x0bexample.com\x00\x50"},
		{"", Associate(netip.MustParseAddrPort("0.0.0.0:0")), "\x05\x01\x00" + "\x05\x03\x00\x01\x00\x00\x00\x00\x00\x00"},
	} {
		p := made(t, SOCKS5, c.user, c.user)
		s := State{}
		if got := string(p.Append([]byte("x"), &s, c.r)); got != "x"+c.want {
			t.Errorf("%+v: %q, want %q", c.r, got, c.want)
		}
	}
	long := strings.Repeat("x", mostCredential)
	p, s := made(t, SOCKS5, long, long), State{}
	if n := len(p.Append(nil, &s, ConnectName(long, 1))); n != MostAppended {
		t.Errorf("the longest hello has %d bytes", n)
	}
}

// TestHTTPRequest has net/http read the requests.
func TestHTTPRequest(t *testing.T) {
	for _, user := range []string{"", "joe"} {
		for authority, r := range map[string]Request{
			"198.51.100.7:443": Connect(dest4), "[2001:db8:0:7::9]:443": Connect(dest6), "example.com:8080": ConnectName("example.com", 8080),
			"[fe80::1]:1": Connect(netip.MustParseAddrPort("[fe80::1%eth0]:1")),
		} {
			p := made(t, HTTP, user, user)
			s := p.Begin(0)
			in := bufio.NewReader(bytes.NewReader(p.Append(nil, &s, r)))
			got, err := http.ReadRequest(in)
			if err != nil {
				t.Fatal(err)
			}
			if in.Buffered() != 0 || got.Method != "CONNECT" || got.Host != authority || got.RequestURI != authority || got.Proto != "HTTP/1.1" {
				t.Errorf("%+v, %d bytes left", got, in.Buffered())
			}
			got.Header.Set("Authorization", got.Header.Get("Proxy-Authorization"))
			if name, password, ok := got.BasicAuth(); ok != (user != "") || name != user || password != user {
				t.Errorf("user %q, password %q, want %q", name, password, user)
			}
		}
	}
}

func TestNew(t *testing.T) {
	long := strings.Repeat("x", mostCredential+1)
	for _, c := range []struct {
		protocol       Protocol
		user, password string
		want           string
	}{
		{SOCKS5, "", "p", "without a user"},
		{HTTP, "", "p", "without a user"},
		{SOCKS5, long, "", "at most 255"},
		{SOCKS5, "u", long, "at most 255"},
		{HTTP, "a:b", "p", "no colon"},
		{HTTP, "a", "p\r\nX: y", "no control characters"},
		{SOCKS5, "a:b", "p\n", ""},
		{HTTP, long, "a:b", ""},
		{SOCKS5, "u", "", ""},
	} {
		p, err := New(c.protocol, c.user, c.password)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s %q %q: %v, want %q", c.protocol, c.user, c.password, err, c.want)
		}
		if err == nil && p.Protocol() != c.protocol {
			t.Errorf("%s became %s", c.protocol, p.Protocol())
		}
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	for _, protocol := range []Protocol{SOCKS5, HTTP} {
		p := made(t, protocol, "somebody", "mystery")
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			if text := fmt.Sprintf(verb, p); strings.Contains(text, "mystery") || strings.Contains(text, "somebody") || strings.Contains(text, "Basic") {
				t.Errorf("%s shows %s", verb, text)
			}
		}
	}
}
