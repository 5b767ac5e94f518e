package sniff

import (
	"bufio"
	"bytes"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// requests are such that nothing is looked at behind the first of their bytes that
// is marked with a |.
var requests = map[string]string{
	"GET / HTTP/1.1\r\nHost: www.example.com\r\n|Accept: */*\r\n\r\n":                     "www.example.com",
	"GET / HTTP/1.0\r\nhost:Example.COM.\r\n|":                                            "example.com",
	"POST /a?b HTTP/1.1\r\nAccept: */*\r\nHOST: \t a.example:8080 \r\n|\r\nbody":          "a.example",
	"GET / HTTP/1.1\nHost: a.example\n|\n":                                                "a.example",
	"M-SEARCH * HTTP/1.1\r\nHost: a.example\r\n|":                                         "a.example",
	"VERSION_CONTROL / HTTP/1.1\r\nHost: a.example:\r\n|":                                 "a.example",
	"GET http://target.example/x HTTP/1.1\r\n|Host: other.example\r\n\r\n":                "target.example",
	"GET https://u:p@target.example:8443?x HTTP/1.1\r\n|":                                 "target.example",
	"CONNECT target.example:443 HTTP/1.1\r\n|Host: other.example:443\r\n\r\n":             "target.example",
	"GET h:ttp://x.example/ HTTP/1.1\r\nHost: a.example\r\n|":                             "a.example",
	"GET /http://x.example/ HTTP/1.1\r\nHost: a.example\r\n|":                             "a.example",
	"GET /?u=http://x.example/ HTTP/1.1\r\nHost: a.example\r\n|":                          "a.example",
	"GET ?u=http://x.example/ HTTP/1.1\r\nHost: a.example\r\n|":                           "a.example",
	"GET file:///x HTTP/1.1\r\nHost: a.example\r\n|":                                      "a.example",
	"GET / HTTP/1.1\r\nCookie: " + strings.Repeat("c", 5000) + "\r\nHost: a.example\r\n|": "a.example",

	"GET / HTTP/1.1\r\nHost: 192.0.2.1:80\r\n|":              "",
	"GET / HTTP/1.1\r\nHost: [2001:db8::1]\r\n|":             "",
	"GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n|":          "",
	"GET / HTTP/1.1\r\nHost: a.example:http\r\n|":            "",
	"GET / HTTP/1.1\r\nHost: a.example:1:2\r\n|":             "",
	"GET / HTTP/1.1\r\nHost:\r\n|":                           "",
	"GET / HTTP/1.1\r\nX-Host: a.example\r\n\r\n|":           "",
	"GET / HTTP/1.0\r\n\r\n|":                                "",
	"GET http://192.0.2.1/ HTTP/1.1\r\n|Host: a.example\r\n": "",
	"GET / HTTP/1.1\r\nnonsense\r\n|Host: a.example\r\n":     "",
	"GET / HTTP/1.1\r\nHost : a.example\r\n\r\n|":            "",
}

// TestRequestComesInPieces asserts that a request is the same however it arrives.
func TestRequestComesInPieces(t *testing.T) {
	var s Sniffer
	for request, want := range requests {
		head, rest, _ := strings.Cut(request, "|")
		checkPrefixes(t, request, []byte(head), s.Stream, Finding{Verdict: verdictOf(want), Protocol: HTTP, Name: want})
		if f := s.HTTP([]byte(head + rest)); f.Name != want {
			t.Errorf("%q: %+v", request, f)
		}
	}
}

// TestRequestRefuses asserts that what is no request is known to be none at the
// byte that is marked, and not before.
func TestRequestRefuses(t *testing.T) {
	var s Sniffer
	for _, b := range []string{
		"|\x00", "|\x13BitTorrent protocol", "|get / HTTP/1.1", "|*1\r\n", "| GET", "|\r\n",
		"SSH|2.0-OpenSSH_9.6\r\n", "PRI * HTTP/|2.0\r\n\r\nSM\r\n\r\n", "GET /|\r\n", "GET / |http/1.1", "GET / HTTP/1.|x",
		"GET / HTTP/1.1|1\r\n", "GET / HTTP/1.1\r|\r\n", "GET | / HTTP/1.1\r\n", "GET /a|\x7f HTTP/1.1\r\n", "PING|\r\n",
		"EHLO a.example|\r\n", "USER a |b c\r\n", strings.Repeat("A", mostMethod) + "|A / HTTP/1.1\r\n",
	} {
		begin, rest, _ := strings.Cut(b, "|")
		if f := s.Stream([]byte(begin)); f.Verdict != More || f.Need != len(begin)+1 {
			t.Errorf("%q: %+v", begin, f)
		}
		for _, b := range []string{begin + rest[:1], begin + rest} {
			if f := s.Stream([]byte(b)); f != (Finding{Verdict: No}) {
				t.Errorf("%q: %+v", b, f)
			}
		}
	}
}

func TestRequestTooLong(t *testing.T) {
	var s Sniffer
	b := []byte("GET / HTTP/1.1\r\nCookie: " + strings.Repeat("c", Most) + "\r\nHost: a.example\r\n")
	if f := s.Stream(b[:Most-1]); f.Verdict != More || f.Need != Most {
		t.Errorf("one byte less: %+v", f)
	}
	for _, n := range []int{Most, Most + 1, len(b)} {
		if f := s.Stream(b[:n]); f != (Finding{Verdict: No, Protocol: HTTP}) {
			t.Errorf("%d bytes: %+v", n, f)
		}
	}
}

// oracleHost is the host that net/http reads in a request, if it takes it; what it
// leaves to its callers is done here.
func oracleHost(b []byte) (host string, ok bool) {
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(b)))
	if err != nil {
		return "", false
	}
	if r.URL.Host != "" {
		return r.URL.Host, true
	}
	return r.Host, true
}

// plainTarget is a request's target of which nobody makes anything else.
var plainTarget = regexp.MustCompile(`^(CONNECT [A-Za-z0-9.:-]+|[A-BD-Z]+ [A-Za-z0-9./:?=&_~-]+) `)

// isOdd tells whether the two may differ: net/http joins lines that begin with a
// space to those before, takes any of several hosts, and reads more into a target.
func isOdd(b []byte) bool {
	lower := bytes.ToLower(b)
	return bytes.Contains(b, []byte("\n ")) || bytes.Contains(b, []byte("\n\t")) ||
		bytes.Count(lower, []byte("host")) > 1 || !plainTarget.Match(b)
}

// FuzzHTTP compares with net/http, and asserts that a verdict is the same however
// a stream is cut.
func FuzzHTTP(f *testing.F) {
	for request := range requests {
		f.Add([]byte(strings.Replace(request, "|", "", 1) + "\r\n"))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var s, other Sniffer
		whole := s.HTTP(b)
		agreeOnPrefixes(t, b, other.HTTP, whole)
		checkName(t, whole.Name)
		host, ok := oracleHost(b)
		if !ok || whole.Protocol != HTTP || whole.Verdict == More || isOdd(b) {
			return
		}
		if want := other.name.normal(withoutPort([]byte(host))); whole.Name != want {
			t.Errorf("%q: %+v, net/http says %q", b, whole, host)
		}
	})
}

func TestHTTPDoesNotAllocate(t *testing.T) {
	var s Sniffer
	for request := range requests {
		b := []byte(strings.Replace(request, "|", "", 1))
		if n := testing.AllocsPerRun(100, func() { s.Stream(b); s.Stream(b[:len(b)/2]) }); n != 0 {
			t.Errorf("%q: %v allocations", request, n)
		}
	}
}

func BenchmarkHTTP(b *testing.B) {
	var s Sniffer
	for name, request := range map[string]string{
		"curl":        "GET / HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: curl/8.14.1\r\nAccept: */*\r\n\r\n",
		"4 KiB first": "GET / HTTP/1.1\r\nCookie: " + strings.Repeat("c", 4096) + "\r\nHost: www.example.com\r\n\r\n",
	} {
		b.Run(name, func(b *testing.B) {
			request := []byte(request)
			b.ReportAllocs()
			for b.Loop() {
				s.Stream(request)
			}
		})
	}
}
