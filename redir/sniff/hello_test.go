package sniff

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
)

// recorder is a connection to nowhere, which keeps what is written.
type recorder struct {
	net.Conn
	written bytes.Buffer
}

func (r *recorder) Write(b []byte) (int, error) { return r.written.Write(b) }
func (r *recorder) Read([]byte) (int, error)    { return 0, io.EOF }
func (r *recorder) Close() error                { return nil }

// helloOf is the first flight of a client of crypto/tls, in one record.
func helloOf(tb testing.TB, c *tls.Config) []byte {
	tb.Helper()
	var r recorder
	tls.Client(&r, c).Handshake()
	if r.written.Len() < recordHead {
		tb.Fatal("no hello")
	}
	return r.written.Bytes()
}

// echList is a list of one ECH configuration, of a server with a public name (RFC
// 9849, 4).
func echList(tb testing.TB, public string) []byte {
	tb.Helper()
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	c := []byte{1, 0, 0x20, 0, 32} // id; DHKEM(X25519, HKDF-SHA256)
	c = append(c, key.PublicKey().Bytes()...)
	c = append(c, 0, 4, 0, 1, 0, 1, 32, byte(len(public))) // HKDF-SHA256, AES-128-GCM; the longest name
	c = append(append(c, public...), 0, 0)
	c = append(binary.BigEndian.AppendUint16([]byte{0xfe, 0x0d}, uint16(len(c))), c...)
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(c))), c...)
}

type helloCase struct {
	b         []byte
	want      string // "": none
	encrypted bool
}

func hellos(tb testing.TB) map[string]helloCase {
	var many []string
	for range 60 {
		many = append(many, strings.Repeat("p", 200))
	}
	longest := strings.Repeat(strings.Repeat("x", 49)+".", 5) + "org"
	of := func(c *tls.Config) []byte { return helloOf(tb, c) }
	classic := []tls.CurveID{tls.X25519}
	return map[string]helloCase{
		"today's":      {b: of(&tls.Config{ServerName: "www.example.com"}), want: "www.example.com"},
		"without PQ":   {b: of(&tls.Config{ServerName: "www.example.com", CurvePreferences: classic}), want: "www.example.com"},
		"TLS 1.2":      {b: of(&tls.Config{ServerName: "a.example", MaxVersion: tls.VersionTLS12}), want: "a.example"},
		"TLS 1.0":      {b: of(&tls.Config{ServerName: "a.example", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10}), want: "a.example"},
		"capitals":     {b: of(&tls.Config{ServerName: "WWW.Example.Com"}), want: "www.example.com"},
		"longest name": {b: of(&tls.Config{ServerName: longest}), want: longest},
		"ALPN":         {b: of(&tls.Config{ServerName: "h2.example", NextProtos: []string{"h2", "http/1.1"}}), want: "h2.example"},
		"12 KiB":       {b: of(&tls.Config{ServerName: "long.example", NextProtos: many}), want: "long.example"},
		"no name":      {b: of(&tls.Config{InsecureSkipVerify: true})},
		"an address":   {b: of(&tls.Config{ServerName: "192.0.2.1"})},
		"ECH": {b: of(&tls.Config{ServerName: "hidden.example", MinVersion: tls.VersionTLS13,
			EncryptedClientHelloConfigList: echList(tb, "public.example")}), want: "public.example", encrypted: true},
		"made, address":    {b: record(madeHello(extension(0, serverName("192.0.2.1"))))},
		"made, dot at end": {b: record(madeHello(extension(0, serverName("a.example.")))), want: "a.example"},
		"made, other kind": {b: record(madeHello(extension(0, []byte{0, 9, 1, 0, 1, 'x', 0, 0, 2, 'a', 'b'}))), want: "ab"},
		"made, two":        {b: record(madeHello(extension(0, serverName("a.example")), extension(0, serverName("b.example")))), want: "a.example"},
		"made, name last":  {b: record(madeHello(extension(21, make([]byte, 3000)), extension(0, serverName("a.example")))), want: "a.example"},
		"made, no list":    {b: record(madeHello(extension(0, nil)))},
		"made, none":       {b: record(madeHello())},
	}
}

// madeHello is one with any extensions, with its handshake header.
func madeHello(extensions ...[]byte) []byte {
	all := bytes.Join(extensions, nil)
	b := append([]byte{3, 3}, make([]byte, 32)...)
	b = append(b, 0, 0, 2, 0x13, 1, 1, 0)
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(all))), all...)
	return append([]byte{clientHello, byte(len(b) >> 16), byte(len(b) >> 8), byte(len(b))}, b...)
}

func extension(kind uint16, data []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, kind)
	return append(binary.BigEndian.AppendUint16(b, uint16(len(data))), data...)
}

func serverName(name string) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(name)+3))
	return append(binary.BigEndian.AppendUint16(append(b, hostName), uint16(len(name))), name...)
}

func record(message []byte) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{recordHandshake, 3, 1}, uint16(len(message))), message...)
}

// recut is a hello in records of so many bytes.
func recut(b []byte, size int) (cut []byte) {
	for piece := range slices.Chunk(b[recordHead:], size) {
		cut = append(cut, record(piece)...)
	}
	return cut
}

// TestHelloComesInPieces asserts that a hello is the same however it arrives: at
// every length less than its own it asks for more, and not in vain.
func TestHelloComesInPieces(t *testing.T) {
	var s Sniffer
	for name, c := range hellos(t) {
		for _, size := range []int{mostRecord, 1000, 100, 7, 1} {
			b := recut(c.b, size)
			if len(b) > Most {
				continue
			}
			checkPrefixes(t, name, b, s.TLS, Finding{Verdict: verdictOf(c.want), Protocol: TLS, Name: c.want, Encrypted: c.encrypted})
		}
	}
}

func verdictOf(name string) Verdict {
	if name == "" {
		return No
	}
	return Found
}

// checkPrefixes asserts that look finds want in b, with anything behind it, and
// asks for more of what b begins with.
func checkPrefixes(t *testing.T, name string, b []byte, look func([]byte) Finding, want Finding) {
	t.Helper()
	for _, after := range []string{"", "\x17\x03\x03", "GET / HTTP/1.1\r\nHost: other.example\r\n\r\n"} {
		if got := look(append(bytes.Clone(b), after...)); got != want {
			t.Fatalf("%s, %d bytes before %q: %+v, want %+v", name, len(b), after, got, want)
		}
	}
	need := 1
	for i := range len(b) {
		got := look(b[:i])
		if got.Verdict != More || got.Need <= i || got.Need > len(b) || got.Need < need {
			t.Fatalf("%s, %d of %d bytes: %+v", name, i, len(b), got)
		}
		need = got.Need
		if got.Name != "" && got.Name != want.Name {
			t.Fatalf("%s, %d of %d bytes: %+v, want %+v", name, i, len(b), got, want)
		}
	}
}

// TestHelloTooLong asserts that one whose end will not be looked at is decided by
// what has come.
func TestHelloTooLong(t *testing.T) {
	var s Sniffer
	long := make([]byte, 20000)
	for name, extensions := range map[string][][]byte{
		"a.example": {extension(0, serverName("a.example")), extension(21, long), extension(21, long)},
		"":          {extension(21, long), extension(0, serverName("a.example"))},
	} {
		b := recut(record(madeHello(extensions...)), 1000)
		if f := s.TLS(b[:Most-1]); f != (Finding{Protocol: TLS, Name: name, Need: Most}) {
			t.Errorf("one byte less: %+v, want %q", f, name)
		}
		for _, n := range []int{Most, Most + 1, len(b)} {
			if f := s.TLS(b[:n]); f != (Finding{Verdict: verdictOf(name), Protocol: TLS, Name: name}) {
				t.Errorf("%d bytes: %+v, want %q", n, f, name)
			}
		}
	}
}

func TestHelloRefuses(t *testing.T) {
	hello := record(madeHello(extension(0, serverName("a.example"))))
	with := func(at int, b byte) []byte {
		hello := bytes.Clone(hello)
		hello[at] = b
		return hello
	}
	var s Sniffer
	for name, b := range map[string][]byte{
		"alert":           with(0, 21),
		"SSL 2":           with(1, 2),
		"empty record":    with(4, 0)[:5],
		"record too long": {recordHandshake, 3, 1, 0x40, 1},
		"server hello":    with(5, 2),
		"empty hello":     record([]byte{clientHello, 0, 0, 0}),
		"short hello":     record([]byte{clientHello, 0, 0, 2, 3, 3}),
		"then an alert":   append(recut(hello, 20)[:25], 21),
	} {
		if f := s.TLS(b); f.Verdict != No || f.Name != "" {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

// oracleHello is the name that crypto/tls reads in a hello, if it takes it.
func oracleHello(b []byte) (name string, ok bool) {
	tls.Server(&readOnly{r: bytes.NewReader(b)}, &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		name, ok = h.ServerName, true
		return nil, io.EOF
	}}).Handshake()
	return name, ok
}

// readOnly is a connection that brings what r has, and takes anything.
type readOnly struct {
	recorder
	r io.Reader
}

func (c *readOnly) Read(b []byte) (int, error) { return c.r.Read(b) }

// FuzzTLS compares with crypto/tls, and asserts that a verdict is the same however
// a stream is cut.
func FuzzTLS(f *testing.F) {
	for _, c := range hellos(f) {
		f.Add(c.b)
		f.Add(recut(c.b, 200))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var s, other Sniffer
		whole := s.TLS(b)
		agreeOnPrefixes(t, b, other.TLS, whole)
		checkName(t, whole.Name)
		name, ok := oracleHello(b)
		if !ok || whole.Protocol != TLS || len(b) > Most {
			return
		}
		if want := other.name.normal([]byte(name)); whole.Name != want || whole.Verdict != verdictOf(want) {
			t.Errorf("%x: %+v, crypto/tls says %q", b, whole, name)
		}
	})
}

// agreeOnPrefixes asserts that what was said of the begin of b still holds of all
// of it.
func agreeOnPrefixes(t *testing.T, b []byte, look func([]byte) Finding, whole Finding) {
	t.Helper()
	need := 0
	step := 1 + len(b)/200
	for i := 0; i < len(b); i += step {
		part := look(b[:i])
		switch {
		case part.Verdict == More && part.Need > i && part.Need <= Most:
			need = max(need, part.Need)
		case part.Verdict == No && whole.Verdict == No:
		case part == whole && i >= need:
		default:
			t.Fatalf("%q, first %d: %+v; whole %+v, need %d", b, i, part, whole, need)
		}
	}
	if whole.Verdict == Found && len(b) < need {
		t.Fatalf("%q: %+v, and %d bytes were needed", b, whole, need)
	}
}

func TestTLSDoesNotAllocate(t *testing.T) {
	var s Sniffer
	for name, c := range hellos(t) {
		cut := recut(c.b, 100)
		if n := testing.AllocsPerRun(100, func() { s.Stream(c.b); s.Stream(cut); s.Stream(cut[:len(cut)/2]) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkTLS(b *testing.B) {
	var s Sniffer
	all := hellos(b)
	for name, hello := range map[string][]byte{
		"today's":          all["today's"].b,
		"without PQ":       all["without PQ"].b,
		"in two records":   recut(all["today's"].b, 1000),
		"12 KiB":           all["12 KiB"].b,
		"its first 1400 B": all["today's"].b[:1400],
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.Stream(hello)
			}
		})
	}
}
