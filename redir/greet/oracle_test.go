package greet

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"testing"
	"time"

	"golang.org/x/net/proxy"
)

// recorded is a connection with a proxy that says b, whatever it is told.
type recorded struct {
	said bytes.Buffer // to the proxy
	b    *bytes.Reader
}

func (c *recorded) Read(b []byte) (int, error)                     { return c.b.Read(b) }
func (c *recorded) Write(b []byte) (int, error)                    { return c.said.Write(b) }
func (c *recorded) Close() error                                   { return nil }
func (c *recorded) LocalAddr() net.Addr                            { return &net.TCPAddr{} }
func (c *recorded) RemoteAddr() net.Addr                           { return &net.TCPAddr{} }
func (c *recorded) SetDeadline(time.Time) error                    { return nil }
func (c *recorded) SetReadDeadline(time.Time) error                { return nil }
func (c *recorded) SetWriteDeadline(time.Time) error               { return nil }
func (c *recorded) Dial(network, address string) (net.Conn, error) { return c, nil }
func (c *recorded) DialContext(context.Context, string, string) (net.Conn, error) {
	return c, nil
}

// oracle is what golang.org/x/net makes of a SOCKS5 proxy that says b: how many
// bytes it took, and whether it took them for a success.
func oracle(user string, b []byte, dest netip.AddrPort) (said []byte, n int, ok bool) {
	c := &recorded{b: bytes.NewReader(b)}
	var auth *proxy.Auth
	if user != "" {
		auth = &proxy.Auth{User: user, Password: user}
	}
	d, err := proxy.SOCKS5("tcp", "192.0.2.1:1080", auth, c)
	if err != nil {
		return nil, 0, false
	}
	_, err = d.Dial("tcp", dest.String())
	return c.said.Bytes(), len(b) - c.b.Len(), err == nil
}

// greets reports whether the proxy relays after b, and how much of b is its answer.
func greets(p *Proxy, b []byte) (n int, ok bool) {
	s := p.Begin(1)
	n, v := p.Take(&s, b)
	return n, v == Done
}

// FuzzSOCKS5 compares with golang.org/x/net, and asserts that an answer is read
// the same way however it is cut. The other offers two methods where there is a
// user, takes any where there is none, and no reserved byte that is not 0.
func FuzzSOCKS5(f *testing.F) {
	for _, c := range answers {
		if c.protocol == SOCKS5 {
			f.Add([]byte(c.b), c.user != "", uint8(3))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, login bool, cut uint8) {
		user := ""
		if login {
			user = "u"
		}
		p := made(t, SOCKS5, user, user)
		n, ok := greets(p, b)
		reserved := len(b) > 4 && b[4] != 0
		if login {
			reserved = len(b) > 6 && b[6] != 0
		}
		_, m, want := oracle(user, b, dest4)
		offered := len(b) < 2 || b[1] == p.greeting[2]
		if offered && !reserved && (ok != want || ok && n != m) {
			t.Errorf("%q: %v, %d bytes; the oracle says %v, %d", b, ok, n, want, m)
		}
		sameInParts(t, p, b, int(cut))
	})
}

// plainStatus begins an answer of which nobody makes anything else.
var plainStatus = regexp.MustCompile(`^HTTP/1\.[0-9] [0-9]{3}( [^\n]*)?\r?\n`)

// FuzzHTTP compares with net/http, which takes other status lines too, has an opinion
// of header lines, and knows no interim answers.
func FuzzHTTP(f *testing.F) {
	for _, c := range answers {
		if c.protocol == HTTP {
			f.Add([]byte(c.b), uint8(9))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, cut uint8) {
		p := made(t, HTTP, "", "")
		n, ok := greets(p, b)
		in := bytes.NewReader(b)
		r := bufio.NewReaderSize(in, 1<<17)
		response, err := http.ReadResponse(r, &http.Request{Method: http.MethodConnect})
		if err == nil && response.StatusCode/100 == 2 && len(b) <= mostAnswer && plainStatus.Match(b) {
			if m := len(b) - in.Len() - r.Buffered(); !ok || n != m {
				t.Errorf("%q: %v, %d bytes; the oracle took %d", b, ok, n, m)
			}
		}
		if ok && err == nil && plainStatus.Match(b) && response.StatusCode >= 200 && response.StatusCode/100 != 2 {
			t.Errorf("%q: a success; the oracle says %s", b, response.Status)
		}
		sameInParts(t, p, b, int(cut))
	})
}

// sameInParts asserts that b means the same cut in two, and byte by byte.
func sameInParts(t *testing.T, p *Proxy, b []byte, cut int) {
	p.habit.Store(uint32(takesAll))
	whole, parts, bytes := p.Begin(1), p.Begin(1), p.Begin(1)
	n, v := p.Take(&whole, b)
	if n > len(b) || v == More && n != len(b) || v == Say {
		t.Fatalf("%q: %d bytes, verdict %d", b, n, v)
	}
	cut = min(cut, len(b))
	m, w := p.Take(&parts, b[:cut])
	if w == More {
		var rest int
		rest, w = p.Take(&parts, b[cut:])
		m += rest
	}
	if w != v || m != n && v != Malformed {
		t.Errorf("%q cut at %d: %d bytes, verdict %d; whole %d, %d", b, cut, m, w, n, v)
	}
	w, m = More, 0
	for ; m < len(b) && w == More; m++ {
		_, w = p.Take(&bytes, b[m:m+1])
	}
	if w != v || m != n && v != Malformed {
		t.Errorf("%q byte by byte: %d bytes, verdict %d; whole %d, %d", b, m, w, n, v)
	}
}

// TestOracleSaysTheSame asserts that another client tells a proxy the same, but
// for the methods that it offers.
func TestOracleSaysTheSame(t *testing.T) {
	for _, dest := range []netip.AddrPort{dest4, dest6} {
		for user, answer := range map[string]string{"": "\x05\x00" + ok4, "u": "\x05\x02\x01\x00" + ok4} {
			said, _, ok := oracle(user, []byte(answer), dest)
			if !ok {
				t.Fatal("the oracle fails")
			}
			said = bytes.Replace(said, []byte("\x05\x02\x00\x02"), []byte("\x05\x01\x02"), 1)
			p, s := proxy5(t, user), State{}
			if got := p.Append(nil, &s, Connect(dest)); !bytes.Equal(got, said) {
				t.Errorf("%s, user %q: %q, the oracle says %q", dest, user, got, said)
			}
		}
	}
}

func proxy5(t *testing.T, user string) *Proxy {
	p, err := New(SOCKS5, user, user)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// FuzzUDPHeader compares with a reader of the same bytes, and asserts that what is
// written is read again.
func FuzzUDPHeader(f *testing.F) {
	f.Add(AppendUDPHeader(nil, dest4))
	f.Add(AppendUDPHeader(nil, dest6))
	f.Add([]byte("\x00\x00\x00\x03\x01x\x00\x50"))
	f.Add([]byte("\x00\x00\x01\x01\x01\x02\x03\x04\x00\x50"))
	f.Fuzz(func(t *testing.T, b []byte) {
		from, n, ok := ParseUDPHeader(b)
		want, rest, err := readUDPHeader(bytes.NewReader(b))
		if ok != (err == nil) || ok && (from != want || len(b)-n != rest) {
			t.Fatalf("%q: %s, %d bytes, %v; read one by one: %s, %d left, %v", b, from, n, ok, want, rest, err)
		}
		if !ok {
			return
		}
		again := AppendUDPHeader(nil, from)
		if len(again) != UDPHeaderSize(from.Addr()) || len(again) > MostUDPHeader {
			t.Errorf("%s: a header of %d bytes", from, len(again))
		}
		if at, m, ok := ParseUDPHeader(again); !ok || at != from || m != len(again) {
			t.Errorf("%s came back as %s, %d bytes, %v", from, at, m, ok)
		}
	})
}

func readUDPHeader(r *bytes.Reader) (from netip.AddrPort, rest int, err error) {
	head := make([]byte, 4)
	if _, err = io.ReadFull(r, head); err != nil {
		return from, 0, err
	}
	addr := make([]byte, map[byte]int{1: 4, 4: 16}[head[3]])
	if len(addr) == 0 || head[2] != 0 {
		return from, 0, io.ErrUnexpectedEOF
	}
	if _, err = io.ReadFull(r, addr); err != nil {
		return from, 0, err
	}
	port := make([]byte, 2)
	if _, err = io.ReadFull(r, port); err != nil {
		return from, 0, err
	}
	a, _ := netip.AddrFromSlice(addr)
	return netip.AddrPortFrom(a.Unmap(), uint16(port[0])<<8|uint16(port[1])), r.Len(), nil
}
