package sniff

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
)

// packetRecorder is a socket to nowhere, which keeps what is sent.
type packetRecorder struct {
	sent   chan []byte // what finds no room is lost
	closed chan struct{}
}

func (r *packetRecorder) WriteTo(b []byte, _ net.Addr) (int, error) {
	select {
	case r.sent <- bytes.Clone(b):
	default:
	}
	return len(b), nil
}

func (r *packetRecorder) ReadFrom([]byte) (int, net.Addr, error) {
	<-r.closed
	return 0, nil, net.ErrClosed
}

func (r *packetRecorder) Close() error { return nil }
func (r *packetRecorder) LocalAddr() net.Addr {
	return &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}
}
func (r *packetRecorder) SetDeadline(time.Time) error      { return nil }
func (r *packetRecorder) SetReadDeadline(time.Time) error  { return nil }
func (r *packetRecorder) SetWriteDeadline(time.Time) error { return nil }
func (r *packetRecorder) SetReadBuffer(int) error          { return nil }
func (r *packetRecorder) SetWriteBuffer(int) error         { return nil }

// flightOf is the first flight of a client of quic-go, once it has a name.
func flightOf(tb testing.TB, v quic.Version, c *tls.Config) [][]byte {
	tb.Helper()
	r := &packetRecorder{sent: make(chan []byte, 100), closed: make(chan struct{})}
	transport := &quic.Transport{Conn: r}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	done := make(chan struct{})
	go func() {
		defer close(done)
		transport.Dial(ctx, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 2}, c, &quic.Config{Versions: []quic.Version{v}})
	}()
	defer func() {
		cancel()
		<-done
		close(r.closed)
		transport.Close()
	}()
	var flight [][]byte
	for {
		select {
		case b := <-r.sent:
			flight = append(flight, b)
		case <-ctx.Done():
			tb.Fatal("no name in what quic-go has sent")
		}
		var s Sniffer
		if lookAtAll(&s, new(Flight), flight).Verdict == Found {
			return flight
		}
	}
}

// lookAtAll is what the last of a client's datagrams brings, or the first one that
// settles it.
func lookAtAll(s *Sniffer, f *Flight, flight [][]byte) (found Finding) {
	for _, b := range flight {
		if found = s.QUIC(f, b); found.Verdict != More {
			return found
		}
	}
	return found
}

type flightCase struct {
	datagrams [][]byte
	want      string
}

func flights(tb testing.TB) map[string]flightCase {
	classic := []tls.CurveID{tls.X25519}
	many := strings.Split(strings.Repeat("a-protocol-with-a-long-name-of-fifty-bytes-in-all..,", 200), ",")[:200]
	var long []string
	for i, p := range many {
		long = append(long, p+string(rune('a'+i%26)))
	}
	of := func(v quic.Version, c *tls.Config) [][]byte { return flightOf(tb, v, c) }
	return map[string]flightCase{
		"v1":             {of(quic.Version1, &tls.Config{ServerName: "www.example.com", NextProtos: []string{"h3"}}), "www.example.com"},
		"v2":             {of(quic.Version2, &tls.Config{ServerName: "www.example.com", NextProtos: []string{"h3"}}), "www.example.com"},
		"v1, without PQ": {of(quic.Version1, &tls.Config{ServerName: "a.example", CurvePreferences: classic, NextProtos: []string{"h3"}}), "a.example"},
		"v2, without PQ": {of(quic.Version2, &tls.Config{ServerName: "a.example", CurvePreferences: classic, NextProtos: []string{"h3"}}), "a.example"},
		"v1, 10 KiB":     {of(quic.Version1, &tls.Config{ServerName: "long.example", NextProtos: long}), "long.example"},
	}
}

// TestFlight asserts that a hello is found in a flight in any order of its
// datagrams, not before they have all come, and that none of them is changed.
func TestFlight(t *testing.T) {
	var s Sniffer
	for name, c := range flights(t) {
		if strings.HasSuffix(name, "PQ") != (len(c.datagrams) == 1) {
			t.Errorf("%s: %d datagrams", name, len(c.datagrams))
		}
		want := Finding{Verdict: Found, Protocol: QUIC, Name: c.want}
		turned := slices.Clone(c.datagrams)
		slices.Reverse(turned)
		twice := append([][]byte{c.datagrams[0]}, c.datagrams...)
		for how, flight := range map[string][][]byte{"as sent": c.datagrams, "backwards": turned, "one twice": twice} {
			var f Flight
			before := clones(flight)
			if got := lookAtAll(&s, &f, flight); got != want {
				t.Errorf("%s, %s: %+v, want %+v", name, how, got, want)
			}
			for i := range flight {
				if !bytes.Equal(before[i], flight[i]) {
					t.Errorf("%s, %s: datagram %d was changed", name, how, i)
				}
			}
			f.Reset()
			for i, b := range c.datagrams[1:] {
				if got := s.QUIC(&f, b); got.Verdict != More || got.Protocol != QUIC {
					t.Errorf("%s, without the first, %d: %+v", name, i+1, got)
				}
			}
		}
	}
}

func clones(all [][]byte) (cloned [][]byte) {
	for _, b := range all {
		cloned = append(cloned, bytes.Clone(b))
	}
	return cloned
}

// TestKeys compares with the samples of RFC 9001, A.1, and RFC 9369, A.1.
func TestKeys(t *testing.T) {
	dest := unhex(t, "8394c8f03e515708")
	for v, want := range map[version][3]string{
		version1: {"1f369613dd76d5467730efcbe3b1a22d", "fa044b2f42a3fd3b46fb255c", "9f50449e04a0e810283a1e9933adedd2"},
		version2: {"8b1a0bc121284290a29e0971b5cd045d", "91f73e2351d8fa91660e909f", "45b95e15235d6f45a6b19cbcb0294ba9"},
	} {
		k, err := keysOf(v, dest)
		if err != nil {
			t.Fatal(err)
		}
		var got, mask [maskSize]byte
		k.header.Encrypt(got[:], got[:])
		header, err := aes.NewCipher(unhex(t, want[2]))
		if err != nil {
			t.Fatal(err)
		}
		if header.Encrypt(mask[:], mask[:]); got != mask || !bytes.Equal(k.iv[:], unhex(t, want[1])) {
			t.Errorf("version %x: iv %x, mask %x", v, k.iv, got)
		}
		whole := seal(t, v, initial, dest, nil, 0, madeFrames(0, madeHello(extension(0, serverName("a.example")))))
		block, err := aes.NewCipher(unhex(t, want[0]))
		if err != nil {
			t.Fatal(err)
		}
		if !opensWith(block, k.iv, whole, len(dest)) {
			t.Errorf("version %x: another key", v)
		}
	}
}

// TestMACIsThatOfHKDF compares with crypto/hkdf.
func TestMACIsThatOfHKDF(t *testing.T) {
	for _, id := range []string{"", "8 bytes.", strings.Repeat("i", mostConnID)} {
		secret, err := hkdf.Extract(sha256.New, []byte(id), []byte(salt1))
		if err != nil {
			t.Fatal(err)
		}
		if got := mac([]byte(salt1), []byte(id)); !bytes.Equal(got[:], secret) {
			t.Errorf("%q: secret %x, want %x", id, got, secret)
		}
		info := "\x00\x0c\x0ftls13 quicv2 iv\x00"
		want, err := hkdf.Expand(sha256.New, secret, info, nonceSize)
		if err != nil {
			t.Fatal(err)
		}
		if got := expand([sha256.Size]byte(secret), "quicv2 iv", nonceSize); !bytes.Equal(got[:nonceSize], want) {
			t.Errorf("%q: %x, want %x", id, got, want)
		}
	}
}

func unhex(t *testing.T, text string) []byte {
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// madeFrames is one CRYPTO frame with a piece of a hello.
func madeFrames(at int, piece []byte) []byte {
	b := binary.BigEndian.AppendUint32([]byte{frameCrypto}, 0x80000000|uint32(at))
	b = binary.BigEndian.AppendUint16(b, 0x4000|uint16(len(piece)))
	return append(b, piece...)
}

var (
	source = []byte{1, 2, 3}
	dest   = []byte{0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08}
)

// seal is a packet with frames, protected with the keys of a client's Initials;
// its number has four bytes.
func seal(tb testing.TB, v version, k kind, dest, token []byte, number uint32, frames []byte) []byte {
	tb.Helper()
	keys, err := keysOf(v, dest)
	if err != nil {
		tb.Fatal(err)
	}
	bits := byte(k)
	if v == version2 {
		bits = (bits + 1) & 3
	}
	b := binary.BigEndian.AppendUint32([]byte{0xc3 | bits<<4}, uint32(v))
	b = append(append(b, byte(len(dest))), dest...)
	b = append(append(b, byte(len(source))), source...)
	if k == initial {
		b = append(binary.BigEndian.AppendUint16(b, 0x4000|uint16(len(token))), token...)
	}
	b = binary.BigEndian.AppendUint16(b, 0x4000|uint16(4+len(frames)+keys.packet.Overhead()))
	at := len(b)
	b = binary.BigEndian.AppendUint32(b, number)
	nonce := keys.iv
	for i := range 4 {
		nonce[nonceSize-4+i] ^= b[at+i]
	}
	b = keys.packet.Seal(b, nonce[:], frames, b)
	var mask [maskSize]byte
	keys.header.Encrypt(mask[:], b[at+sampleGap:at+sampleGap+maskSize])
	b[0] ^= mask[0] & 0xf
	for i := range 4 {
		b[at+i] ^= mask[1+i]
	}
	return b
}
