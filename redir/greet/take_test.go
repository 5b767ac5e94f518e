package greet

import (
	"net/netip"
	"strings"
	"testing"
)

var (
	dest4 = netip.MustParseAddrPort("198.51.100.7:443")
	dest6 = netip.MustParseAddrPort("[2001:db8:0:7::9]:443")
)

func made(t testing.TB, protocol Protocol, user, password string) *Proxy {
	t.Helper()
	p, err := New(protocol, user, password)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const (
	ok4    = "\x05\x00\x00\x01\x0a\x00\x00\x01\x04\x38"
	ok6    = "\x05\x00\x00\x04\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x04\x38"
	okName = "\x05\x00\x00\x03\x05relay\x04\x38"
	noName = "\x05\x00\x00\x03\x00\x04\x38"
)

// answers are whole ones, and what is to be made of them.
var answers = []struct {
	protocol Protocol
	user     string
	b        string
	want     Verdict
	why      string // of a failure
}{
	{SOCKS5, "", "\x05\x00" + ok4, Done, ""},
	{SOCKS5, "", "\x05\x00" + ok6, Done, ""},
	{SOCKS5, "", "\x05\x00" + okName, Done, ""},
	{SOCKS5, "", "\x05\x00" + noName, Done, ""},
	{SOCKS5, "u", "\x05\x02\x01\x00" + ok4, Done, ""},
	{SOCKS5, "u", "\x05\x02\x01\x00" + ok6, Done, ""},
	{SOCKS5, "", "\x05\xff", AuthFailed, "does it want a user and a password"},
	{SOCKS5, "u", "\x05\xff", AuthFailed, "or none?"},
	{SOCKS5, "u", "\x05\x02\x01\x01", AuthFailed, "it does not take the user and password"},
	{SOCKS5, "u", "\x05\x00", Malformed, "is it such a proxy?"},
	{SOCKS5, "", "\x05\x02", Malformed, "not SOCKS5"},
	{SOCKS5, "", "\x04", Malformed, "not SOCKS5"},
	{SOCKS5, "", "H", Malformed, "not SOCKS5"},
	{SOCKS5, "u", "\x05\x02\x05", Malformed, "not SOCKS5"},
	{SOCKS5, "", "\x05\x00\x01", Malformed, "not SOCKS5"},
	{SOCKS5, "", "\x05\x00\x05\x00\x00\x02", Malformed, "not SOCKS5"},
	{SOCKS5, "", "\x05\x00\x05\x01", Refused, "1: general failure"},
	{SOCKS5, "", "\x05\x00\x05\x02", Refused, "2: its rules forbid the destination"},
	{SOCKS5, "", "\x05\x00\x05\x03", Unreachable, "3: network unreachable"},
	{SOCKS5, "", "\x05\x00\x05\x04", Unreachable, "4: host unreachable"},
	{SOCKS5, "", "\x05\x00\x05\x05", ConnRefused, "5: connection refused"},
	{SOCKS5, "", "\x05\x00\x05\x06", TimedOut, "6: TTL expired"},
	{SOCKS5, "", "\x05\x00\x05\x07", Refused, "7: it does not know the command"},
	{SOCKS5, "", "\x05\x00\x05\x08", Refused, "8: it does not know addresses"},
	{SOCKS5, "", "\x05\x00\x05\xff", Refused, "it answers 255"},
	{HTTP, "", "HTTP/1.1 200 OK\r\n\r\n", Done, ""},
	{HTTP, "", "HTTP/1.0 200 Connection established\r\nProxy-agent: tinyproxy/1.11.1\r\n\r\n", Done, ""},
	{HTTP, "", "HTTP/1.1 200\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", Done, ""},
	{HTTP, "", "HTTP/1.1 204 \n\n", Done, ""},
	{HTTP, "", "HTTP/1.1 299 x\nA: b\n\r\n", Done, ""},
	{HTTP, "", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", Done, ""},
	{HTTP, "", "HTTP/1.1 101 ", Malformed, "not HTTP/1"},
	{HTTP, "", "HTTP/1.1 407 ", AuthFailed, "it wants a user and a password"},
	{HTTP, "u", "HTTP/1.1 407\n", AuthFailed, "or others"},
	{HTTP, "", "HTTP/1.1 403 ", Refused, "403: it forbids the destination"},
	{HTTP, "", "HTTP/1.1 500\r", Refused, "it answers 500"},
	{HTTP, "", "HTTP/1.1 302 ", Refused, "it answers 302"},
	{HTTP, "", "HTTP/1.1 502 ", Unreachable, "502: it cannot reach the destination"},
	{HTTP, "", "HTTP/1.1 503 ", Unreachable, "503: it cannot reach the destination"},
	{HTTP, "", "HTTP/1.1 504 ", TimedOut, "504: the destination does not answer it"},
	{HTTP, "", "HTTP/1.1 999 ", Refused, "it answers 999"},
	{HTTP, "", "HTTP/2", Malformed, "not HTTP/1"},
	{HTTP, "", "HTTP/1.x", Malformed, "not HTTP/1"},
	{HTTP, "", "HTTP/1.12", Malformed, "not HTTP/1"},
	{HTTP, "", "HTTP/1.1 0", Malformed, "not HTTP/1"},
	{HTTP, "", "HTTP/1.1 2x", Malformed, "not HTTP/1"},
	{HTTP, "", "HTTP/1.1 2000", Malformed, "not HTTP/1"},
	{HTTP, "", "HTTP/1.1 200 OK\r\n\rx", Malformed, "not HTTP/1"},
	{HTTP, "", "\x05", Malformed, "not HTTP/1"},
}

// TestTake reads each answer cut in two at every place, and byte by byte, with
// what may follow it: each proper prefix is More, and what follows is left.
func TestTake(t *testing.T) {
	for _, c := range answers {
		p := made(t, c.protocol, c.user, c.user)
		for _, next := range []string{"", "220 ready\r\n", "\r\n\r\n", "\x05\x00"} {
			whole := []byte(c.b + next)
			for cut := range c.b {
				s := State{step: begin(p)}
				if n, v := p.Take(&s, whole[:cut]); n != cut || v != More {
					t.Fatalf("%q, first %d: %d bytes, verdict %d", c.b, cut, n, v)
				}
				if n, v := p.Take(&s, whole[cut:]); n != len(c.b)-cut || v != c.want {
					t.Fatalf("%q, from %d on: %d bytes, verdict %d, want %d", c.b, cut, n, v, c.want)
				}
			}
		}
		s, v := byteByByte(t, p, []byte(c.b))
		if v != c.want {
			t.Errorf("%q, byte by byte: %d, want %d", c.b, v, c.want)
		}
		if c.why != "" {
			if why := p.Failure(&s, v).Error(); !strings.Contains(why, c.why) {
				t.Errorf("%q: %s, want %s", c.b, why, c.why)
			}
		}
		if dest := c.want == Unreachable || c.want == ConnRefused || c.want == TimedOut; v.OfDest() != dest {
			t.Errorf("%q: of the destination: %v", c.b, v.OfDest())
		}
	}
}

// begin is the step of a state with which a hello is one.
func begin(p *Proxy) step {
	if p.protocol == HTTP {
		return statusBegin
	}
	return methodBegin
}

// byteByByte reads b up to a verdict, which comes with the last byte.
func byteByByte(t *testing.T, p *Proxy, b []byte) (s State, v Verdict) {
	s.step = begin(p)
	for i := range b {
		var n int
		if n, v = p.Take(&s, b[i:i+1]); n != 1 {
			t.Fatalf("%q: %d bytes of one", b, n)
		}
		if v != More && i != len(b)-1 {
			t.Fatalf("%q: verdict %d after %d bytes", b, v, i+1)
		}
	}
	return s, v
}

func TestAnswerIsBounded(t *testing.T) {
	p := made(t, HTTP, "", "")
	status, end := "HTTP/1.1 200 OK\r\n", "\r\n\r\n"
	for _, c := range []struct {
		size int
		want Verdict
	}{{mostAnswer, Done}, {mostAnswer + 1, Malformed}, {1 << 20, Malformed}} {
		b := []byte(status + strings.Repeat("x", c.size-len(status)-len(end)) + end)
		s := p.Begin(0)
		if _, v := p.Take(&s, b); v != c.want {
			t.Errorf("%d bytes: verdict %d, want %d", c.size, v, c.want)
		}
		s, v := p.Begin(0), More
		for i := 0; v == More; i++ {
			_, v = p.Take(&s, b[i:i+1])
		}
		if v != c.want {
			t.Errorf("%d bytes, one by one: verdict %d, want %d", c.size, v, c.want)
		}
	}
	s, v := p.Begin(0), More
	for range 1 << 10 {
		if _, v = p.Take(&s, []byte("HTTP/1.1 100 Continue\r\n\r\n")); v != More {
			break
		}
	}
	if v != Malformed {
		t.Errorf("interim answers without an end: verdict %d", v)
	}
}

func TestTakeBound(t *testing.T) {
	p := made(t, SOCKS5, "", "")
	for reply, want := range map[string]string{
		ok4: "10.0.0.1:1080", ok6: "[2001:db8::1]:1080", okName: "", noName: "",
		"\x05\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x0a\x00\x00\x01\x04\x38": "10.0.0.1:1080",
		"\x05\x00\x00\x01\x00\x00\x00\x00\x04\x38":                                                 "0.0.0.0:1080",
	} {
		b := []byte("\x05\x00" + reply + "tail")
		for cut := range len(b) - len("tail") {
			s, bound := State{}, Bound{}
			n, v := p.TakeBound(&s, b[:cut], &bound)
			if n != cut || v != More {
				t.Fatalf("%q, first %d: %d, %d", reply, cut, n, v)
			}
			if n, v = p.TakeBound(&s, b[cut:], &bound); v != Done || cut+n != len(b)-len("tail") {
				t.Fatalf("%q, from %d on: %d, %d", reply, cut, n, v)
			}
			if at, ok := bound.AddrPort(); ok != (want != "") || ok && at != netip.MustParseAddrPort(want) {
				t.Errorf("%q: %s, %v, want %q", reply, at, ok, want)
			}
		}
	}
}

// TestWaiting asserts that one thing is said at a time, and that together they are
// the hello as one.
func TestWaiting(t *testing.T) {
	for user, parts := range map[string][]string{
		"":  {"\x05\x00", ok4},
		"u": {"\x05\x02", "\x01\x00", ok4},
	} {
		p := made(t, SOCKS5, user, user)
		s, whole := Waiting(), State{}
		said := p.Append(nil, &s, Connect(dest4))
		for i, part := range parts {
			for j := range part {
				want := More
				if j == len(part)-1 {
					if want = Say; i == len(parts)-1 {
						want = Done
					}
				}
				n, v := p.Take(&s, []byte(part[j:j+1]))
				if n != 1 || v != want {
					t.Fatalf("part %d, byte %d: %d, verdict %d, want %d", i, j, n, v, want)
				}
			}
			if i < len(parts)-1 {
				said = p.Append(said, &s, Connect(dest4))
			}
		}
		if all := p.Append(nil, &whole, Connect(dest4)); string(said) != string(all) {
			t.Errorf("user %q: said %q, as one %q", user, said, all)
		}
	}
}

// TestHabit asserts that a proxy is told all at once as soon as one connection has
// shown that it may be, and one connection at a time tries.
func TestHabit(t *testing.T) {
	p := made(t, SOCKS5, "", "")
	trial := p.Begin(1)
	if !trial.IsTrial() || trial.waits || trial.HasMethod() {
		t.Fatalf("the first: %+v", trial)
	}
	if s := p.Begin(2); !s.waits || s.IsTrial() {
		t.Errorf("beside a trial: %+v", s)
	}
	if s := p.Begin(1 + nextTrial); !s.IsTrial() {
		t.Errorf("long after a trial: %+v", s)
	}
	p.Take(&trial, []byte("\x05\x00"))
	if s := p.Begin(3); !s.waits || !trial.HasMethod() {
		t.Errorf("with a method alone: %+v", s)
	}
	p.Take(&trial, []byte("\x05\x05"))
	if s := p.Begin(4); s.waits || s.IsTrial() {
		t.Errorf("after a reply to a trial: %+v", s)
	}
	p.AsksFirst()
	if s := p.Begin(5); !s.waits || s.IsTrial() {
		t.Errorf("one that asks first: %+v", s)
	}
}

func TestGreetingDoesNotAllocate(t *testing.T) {
	b, answer := make([]byte, 0, 1024), map[Protocol][]byte{
		SOCKS5: []byte("\x05\x02\x01\x00" + ok4),
		HTTP:   []byte("HTTP/1.1 200 OK\r\nA: b\r\n\r\n"),
	}
	for protocol, said := range answer {
		p := made(t, protocol, "user", "password")
		p.habit.Store(uint32(takesAll))
		if n := testing.AllocsPerRun(100, func() {
			s := p.Begin(1)
			p.Append(b, &s, Connect(dest4))
			p.Append(b, &s, Connect(dest6))
			if _, v := p.Take(&s, said); v != Done {
				t.Fatal(v)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", protocol, n)
		}
	}
}

func BenchmarkGreeting(b *testing.B) {
	for protocol, answer := range map[Protocol]string{SOCKS5: "\x05\x00" + ok4, HTTP: "HTTP/1.0 200 Connection established\r\nProxy-agent: x\r\n\r\n"} {
		b.Run(protocol.String(), func(b *testing.B) {
			p, buffer, said := made(b, protocol, "", ""), make([]byte, 0, 1024), []byte(answer)
			p.habit.Store(uint32(takesAll))
			for b.Loop() {
				s := p.Begin(1)
				p.Append(buffer, &s, Connect(dest4))
				if _, v := p.Take(&s, said); v != Done {
					b.Fatal(v)
				}
			}
		})
	}
}

func TestUnknown(t *testing.T) {
	socks, err := New(SOCKS5, "", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []byte{1, 2, 7, 8} {
		s := Waiting()
		if _, v := socks.Take(&s, []byte{5, 0}); v != Say {
			t.Fatalf("the method: %v", v)
		}
		_, v := socks.Take(&s, []byte{5, code, 0, 1, 0, 0, 0, 0, 0, 0})
		if f := socks.Failure(&s, v); f.IsUnknownCommand() != (code == 7) || f.IsUnknownAddress() != (code == 8) {
			t.Errorf("code %d: %+v", code, f)
		}
	}
}
