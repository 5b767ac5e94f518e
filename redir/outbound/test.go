package outbound

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"

	"sluice/redir/resolve"
)

// Test is what is asked of each member of a Group.
type Test struct {
	Target resolve.Target
	// Request is sent when the target is connected to, and the first byte of the
	// answer awaited. "": connected to is all.
	Request string
}

var errTest = errors.New("want http://HOST[:PORT]/PATH, which is asked for, or HOST:PORT or https://HOST, which is connected to")

// ParseTest reads http://HOST[:PORT]/PATH, of which the first byte is awaited, or
// HOST:PORT or https://HOST[:PORT]/PATH, which are connected to and no more: a
// proxy answers when that was done.
func ParseTest(text string) (Test, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		target, err := resolve.ParseTarget(text, 0)
		if err != nil || target.Port == 0 {
			return Test{}, fmt.Errorf("%q: %w", text, errTest)
		}
		return Test{Target: target}, nil
	}
	port, known := map[string]uint16{"http": 80, "https": 443}[u.Scheme]
	if given := u.Port(); given != "" {
		n, err := strconv.ParseUint(given, 10, 16)
		if err != nil || n == 0 {
			return Test{}, fmt.Errorf("%q: %q is no port from 1 to 65535", text, given)
		}
		port = uint16(n)
	}
	host, err := resolve.ParseHost(u.Hostname())
	if err != nil || !known || u.User != nil {
		return Test{}, fmt.Errorf("%q: %w", text, errTest)
	}
	t := Test{Target: resolve.Target{Host: host, Port: port}}
	if u.Scheme == "http" {
		t.Request = "GET " + u.RequestURI() + " HTTP/1.1\r\nHost: " + u.Host + "\r\nUser-Agent: sluice\r\nConnection: close\r\n\r\n"
	}
	return t, nil
}
