package sniff

import (
	"bytes"
	"crypto/cipher"
	"math/rand/v2"
	"slices"
	"testing"
)

// opensWith tells whether the packet number 0 of seal can be opened with a key.
func opensWith(block cipher.Block, iv [nonceSize]byte, packet []byte, destLen int) bool {
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return false
	}
	at := 1 + 4 + 1 + destLen + 1 + len(source) + 2 + 2
	head := append(bytes.Clone(packet[:at]), 0, 0, 0, 0)
	head[0] = head[0]&0xf0 | 3
	_, err = aead.Open(nil, iv[:], packet[at+4:], head)
	return err == nil
}

// TestFlightInShreds asserts that any order of any pieces of a hello, with other
// frames between them, is put together.
func TestFlightInShreds(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	hello := madeHello(extension(21, make([]byte, 1500)), extension(0, serverName("a.example")), extension(extensionECH, []byte{1}))
	var s Sniffer
	var f Flight
	for round := range 200 {
		v := []version{version1, version2}[round%2]
		var pieces [][]byte
		for at := 0; at < len(hello); {
			n := min(20+random.IntN(280), len(hello)-at)
			from := max(0, at-random.IntN(20)) // pieces may overlap
			pieces = append(pieces, madeFrames(from, hello[from:at+n]))
			at += n
		}
		random.Shuffle(len(pieces), func(i, j int) { pieces[i], pieces[j] = pieces[j], pieces[i] })
		f.Reset()
		for i, piece := range pieces {
			frames := slices.Concat([]byte{framePadding, framePing}, piece, []byte{frameAck, 5, 0, 1, 0, 0, 0, frameAckECN, 5, 0, 0, 0, 1, 1, 1, framePadding})
			got := s.QUIC(&f, seal(t, v, initial, dest, make([]byte, random.IntN(100)), uint32(i), frames))
			want := Finding{Protocol: QUIC}
			if i == len(pieces)-1 {
				want = Finding{Verdict: Found, Protocol: QUIC, Name: "a.example", Encrypted: true}
			}
			if got.Verdict != want.Verdict || want.Verdict == Found && got != want {
				t.Fatalf("piece %d of %d: %+v, want %+v", i, len(pieces), got, want)
			}
		}
	}
}

// TestDatagram asserts what is made of datagrams of all kinds, alone and after one
// that begins a flight.
func TestDatagram(t *testing.T) {
	hello := madeHello(extension(21, make([]byte, 500)), extension(0, serverName("a.example")))
	first, second := madeFrames(0, hello[:300]), madeFrames(300, hello[300:])
	packet := func(k kind, number uint32, frames []byte) []byte {
		return seal(t, version1, k, dest, nil, number, frames)
	}
	whole := packet(initial, 0, slices.Concat(first, second))
	bent := bytes.Clone(whole)
	bent[len(bent)-1] ^= 1
	other := bytes.Clone(whole)
	other[4] = 9
	asked := seal(t, version1, initial, []byte("another one"), nil, 0, slices.Concat(first, second))
	found, more, no := Finding{Verdict: Found, Protocol: QUIC, Name: "a.example"}, Finding{Protocol: QUIC}, Finding{Verdict: No, Protocol: QUIC}
	none := Finding{Verdict: No}
	for name, c := range map[string]struct {
		b            []byte
		alone, after Finding
	}{
		"whole":                     {whole, found, found},
		"in two packets":            {slices.Concat(packet(initial, 0, first), packet(initial, 1, second)), found, found},
		"with 0-RTT behind":         {slices.Concat(whole, packet(zeroRTT, 0, first)), found, found},
		"with 0-RTT before":         {slices.Concat(packet(zeroRTT, 0, first), whole), found, found},
		"with 1-RTT behind":         {append(bytes.Clone(whole), 0x40, 1, 2, 3), found, found},
		"with zeros behind":         {append(bytes.Clone(whole), make([]byte, 300)...), found, found},
		"a part":                    {packet(initial, 0, first), more, more},
		"the other part":            {packet(initial, 1, second), more, found},
		"0-RTT":                     {packet(zeroRTT, 0, first), more, more},
		"a part, one of another":    {slices.Concat(packet(initial, 0, first), asked), more, more},
		"of another connection":     {asked, found, more},
		"bent":                      {bent, none, more},
		"of an unknown version":     {other, none, more},
		"version negotiation":       {[]byte{0x80, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 1}, none, more},
		"handshake":                 {packet(handshake, 0, first), none, more},
		"retry":                     {packet(retry, 0, first), none, more},
		"1-RTT":                     {append([]byte{0x40}, make([]byte, 100)...), none, more},
		"cut":                       {whole[:len(whole)-1], none, more},
		"nothing":                   {nil, none, more},
		"a frame that is not begun": {packet(initial, 0, []byte{0x08, 0, 0, 0, 0, 0}), no, no},
		"a frame that is cut":       {packet(initial, 0, first[:50]), no, no},
		"an ACK that is cut":        {packet(initial, 0, []byte{frameAck, 5, 0, 40, 0, 0}), no, no},
		"a close":                   {packet(initial, 0, []byte{0x1c, 0, 0, 0}), no, no},
		"another message":           {packet(initial, 0, madeFrames(0, []byte{2, 0, 0, 0})), no, no},
		"a piece far away":          {packet(initial, 0, madeFrames(1<<30-1, hello)), more, more},
	} {
		var s Sniffer
		var f Flight
		if got := s.QUIC(&f, c.b); got != c.alone {
			t.Errorf("%s: %+v, want %+v", name, got, c.alone)
		}
		f.Reset()
		s.QUIC(&f, packet(initial, 7, first))
		if got := s.QUIC(&f, c.b); got != c.after {
			t.Errorf("%s, after a part: %+v, want %+v", name, got, c.after)
		}
	}
}

// TestFlightIsBounded asserts that pieces without what is between them are given
// up, and a hello that is too long is decided by what has come.
func TestFlightIsBounded(t *testing.T) {
	var s Sniffer
	var f Flight
	for i := range mostSpans + 1 {
		got := s.QUIC(&f, seal(t, version1, initial, dest, nil, uint32(i), madeFrames(10+20*i, make([]byte, 10))))
		if want := verdictAt(i == mostSpans); got.Verdict != want {
			t.Fatalf("%d pieces: %+v", i+1, got)
		}
	}
	long := make([]byte, Most)
	for _, c := range []struct {
		hello []byte
		want  Finding
	}{
		{madeHello(extension(0, serverName("a.example")), extension(21, long)), Finding{Verdict: Found, Protocol: QUIC, Name: "a.example"}},
		{madeHello(extension(21, long), extension(0, serverName("a.example"))), Finding{Verdict: No, Protocol: QUIC}},
	} {
		f.Reset()
		var got Finding
		for i := 0; i < len(c.hello) && got.Verdict == More; i += 1000 {
			got = s.QUIC(&f, seal(t, version1, initial, dest, nil, uint32(i), madeFrames(i, c.hello[i:min(i+1000, len(c.hello))])))
		}
		if got != c.want {
			t.Errorf("%+v, want %+v", got, c.want)
		}
	}
}

func verdictAt(end bool) Verdict {
	if end {
		return No
	}
	return More
}

// FuzzQUIC sends any datagrams, and compares the pieces that are put together with
// a naive map of bytes.
func FuzzQUIC(f *testing.F) {
	for _, c := range flights(f) {
		f.Add(slices.Concat(c.datagrams...), []byte{1, 0, 40}, uint16(len(c.datagrams[0])))
	}
	hello := madeHello(extension(0, serverName("a.example")))
	f.Add(seal(f, version2, initial, dest, nil, 0, madeFrames(0, hello)), slices.Concat(madeFrames(3, hello[3:]), madeFrames(0, hello[:4])), uint16(9))
	f.Fuzz(func(t *testing.T, b, frames []byte, size uint16) {
		var s Sniffer
		var flight Flight
		before := bytes.Clone(b)
		for datagram := range slices.Chunk(b, max(1, int(size))) {
			if got := s.QUIC(&flight, datagram); (got.Verdict == Found) != (got.Name != "") && got.Verdict != More {
				t.Fatalf("%+v", got)
			}
		}
		if !bytes.Equal(b, before) {
			t.Fatal("a datagram was changed")
		}
		flight.Reset()
		if flight.take(frames) {
			checkPieces(t, &flight, frames)
		}
	})
}

// checkPieces compares what is put together with what frames have.
func checkPieces(t *testing.T, flight *Flight, frames []byte) {
	var bytesAt [Most]byte
	var has [Most]bool
	for r := (reader{b: frames}); len(r.b) > 0; {
		switch kind := r.byte(); kind {
		case frameAck, frameAckECN:
			r.skipAck(kind == frameAckECN)
		case frameCrypto:
			at := r.varint()
			for i, c := range r.take(r.varint()) {
				if at+uint64(i) < Most {
					bytesAt[at+uint64(i)], has[at+uint64(i)] = c, true
				}
			}
		}
	}
	n := 0
	for n < Most && has[n] {
		n++
	}
	if !bytes.Equal(flight.begun(), bytesAt[:n]) {
		t.Fatalf("%x: %x, want %x", frames, flight.begun(), bytesAt[:n])
	}
	for i, s := range flight.spans[:flight.n] {
		if s.from >= s.end || i > 0 && flight.spans[i-1].end >= s.from {
			t.Fatalf("%x: spans %v", frames, flight.spans[:flight.n])
		}
	}
}

// mostAllocations is what the keys of a flight cost.
const mostAllocations = 3

func TestQUICAllocatesForKeysAlone(t *testing.T) {
	var s Sniffer
	var f Flight
	for name, c := range flights(t) {
		if n := testing.AllocsPerRun(100, func() {
			f.Reset()
			lookAtAll(&s, &f, c.datagrams)
		}); n > mostAllocations {
			t.Errorf("%s: %v allocations", name, n)
		}
		f.Reset()
		s.QUIC(&f, c.datagrams[0])
		if n := testing.AllocsPerRun(100, func() { lookAtAll(&s, &f, c.datagrams) }); n != 0 {
			t.Errorf("%s, once there are keys: %v allocations", name, n)
		}
	}
}

func BenchmarkQUIC(b *testing.B) {
	var s Sniffer
	var f Flight
	all := flights(b)
	for _, name := range []string{"v1", "v1, without PQ", "v1, 10 KiB"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f.Reset()
				lookAtAll(&s, &f, all[name].datagrams)
			}
		})
	}
	b.Run("DNS", func(b *testing.B) {
		query := make([]byte, 40)
		f.Reset()
		for b.Loop() {
			s.QUIC(&f, query)
		}
	})
}
