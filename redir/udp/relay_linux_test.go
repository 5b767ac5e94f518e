package udp

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"sluice/loop"
)

// TestSOCKSRuns asserts that a run leaves for the relay as one message, and one that
// comes from it goes to the client as one.
func TestSOCKSRuns(t *testing.T) {
	const segment, datagrams = 100, 30
	server := newSOCKSServer(t, "127.0.0.1:0")
	client, remote := newPeer(t, "127.0.0.1:0"), newPeer(t, "127.0.0.2:0")
	s := newRelays(t, 1, 10, 8, time.Minute)
	s.takeSOCKS(server.at())
	s.inject(0, client.addr, remote.addr, []byte("x"))
	remote.take()

	// The test takes the server's place at both ends of the relay.
	r := s.relayNow()
	place := server.place()
	client.SetReadBuffer(1 << 20)
	enableGRO(t, place)
	enableGRO(t, client.UDPConn)
	var calls int
	s.on(0, func() {
		run := loop.Received{Payload: make([]byte, segment*datagrams), Segment: segment, Source: client.addr, Dest: remote.addr}
		for range 2 {
			s.workers[0].put(&s.in, run)
		}
		q := &s.workers[0].toUpstream
		for i := range 2 {
			s.workers[0].pushRelayed(r, &q.messages[i], q.prefaces[i][:0])
		}
		calls = s.workers[0].out.Len()
		s.workers[0].depart(r, r.fd, &r.gso)
		s.workers[0].send()
		q.reset()
	})
	if calls != 1 {
		t.Errorf("two runs leave as %d messages", calls)
	}

	header := func(host byte) []byte {
		return []byte{0, 0, 0, 1, 127, 0, 0, host, byte(remote.addr.Port() >> 8), byte(remote.addr.Port())}
	}
	for _, c := range []struct {
		name string
		host func(i int) byte
		most int // messages
	}{
		{"singly", func(int) byte { return 2 }, datagrams},
		{"of one remote", func(int) byte { return 2 }, 1},
		{"of two remotes", func(i int) byte { return byte(2 + i/(datagrams/2)) }, 2},
		{"of one remote after the other", func(i int) byte { return byte(2 + i%3) }, datagrams},
	} {
		var burst []byte
		for i := range datagrams {
			burst = append(append(burst, header(c.host(i))...), bytes.Repeat([]byte{byte(i)}, segment)...)
		}
		sendRun(t, place, localAddr(t, r.fd), burst, segment+10)
		messages := 0
		for got := 0; got < datagrams; messages++ {
			payload, from := client.take()
			for ; len(payload) > 0; payload = payload[segment:] {
				if i := int(payload[0]); from.Addr().As4()[3] != c.host(i) || len(payload) < segment {
					t.Fatalf("%s: datagram %d comes from %s, of %d bytes", c.name, i, from, len(payload))
				}
				got++
			}
		}
		if messages > c.most {
			t.Errorf("%s: %d datagrams come as %d messages", c.name, datagrams, messages)
		}
		s.on(0, func() { r.bulk = true; becomeBulk(r.fd) }) // which it mostly is by now
	}
}

func TestSOCKSDoesNotAllocate(t *testing.T) {
	server := newSOCKSServer(t, "127.0.0.1:0")
	client, remote := newPeer(t, "127.0.0.1:0"), newPeer(t, "127.0.0.2:0")
	s := newRelays(t, 1, 10, 8, time.Minute)
	s.takeSOCKS(server.at())
	s.inject(0, client.addr, remote.addr, []byte("x"))
	s.relayNow()
	w := s.workers[0]
	payload := make([]byte, 1200)
	m := loop.Received{Payload: payload, Segment: len(payload), Source: client.addr, Dest: remote.addr}
	var allocs float64
	s.on(0, func() {
		allocs = testing.AllocsPerRun(50, func() {
			for range 5 {
				w.put(&s.in, m)
			}
			w.flush()
		})
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// TestUnwrap compares with taking every datagram alone.
func TestUnwrap(t *testing.T) {
	header := func(port byte) []byte { return []byte{0, 0, 0, 1, 10, 0, 0, 1, 0, port} }
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	v6 := append([]byte{0, 0, 0, 4, 0x20, 1}, make([]byte, 16)...)
	for _, c := range []struct {
		name  string
		run   []byte
		each  int
		parts []string // "PORT PAYLOAD SEGMENT", or "none"
	}{
		{"alone", join(header(1), []byte("abc")), 13, []string{"1 abc 3"}},
		{"nothing in it", header(1), 10, []string{"1  0"}},
		{"nothing at all", nil, 0, []string{"none"}},
		{"alike", join(header(1), []byte("abc"), header(1), []byte("def"), header(1), []byte("g")), 13, []string{"1 abcdefg 3"}},
		{"two remotes", join(header(1), []byte("abc"), header(2), []byte("def"), header(2), []byte("g")), 13, []string{"1 abc 3", "2 defg 3"}},
		{"to and fro", join(header(1), []byte("abc"), header(2), []byte("def"), header(1), []byte("g")), 13, []string{"1 abc 3", "2 def 3", "1 g 1"}},
		{"the last is empty", join(header(1), []byte("abc"), header(1)), 13, []string{"1 abc 3", "1  0"}},
		{"all empty", join(header(1), header(1)), 10, []string{"1  0", "1  0"}},
		{"a fragment between", join(header(1), []byte("abc"), []byte{0, 0, 1, 1, 10, 0, 0, 1, 0, 1}, []byte("def"), header(1), []byte("g")), 13, []string{"1 abc 3", "none", "1 g 1"}},
		{"short", []byte{0, 0, 0}, 3, []string{"none"}},
		{"other length", join(header(1), []byte("abcabcabcabca"), v6, []byte("d")), 23, []string{"1 abcabcabcabca 13", "0 d 1"}},
	} {
		var got []string
		for rest, first := bytes.Clone(c.run), true; first || len(rest) > 0; first = false {
			from, payload, segment, after := unwrap(rest, c.each)
			if rest = after; from.IsValid() {
				got = append(got, fmt.Sprintf("%d %s %d", from.Port(), payload, segment))
			} else {
				got = append(got, "none")
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(c.parts) {
			t.Errorf("%s: %q, want %q", c.name, got, c.parts)
		}
	}
}

// FuzzUnwrap compares a run with its datagrams alone.
func FuzzUnwrap(f *testing.F) {
	one := []byte{0, 0, 0, 1, 10, 0, 0, 1, 0, 1, 'a', 'b', 'c'}
	f.Add(bytes.Repeat(one, 3), 13)
	f.Add(append(bytes.Repeat(one, 3), one[:11]...), 13)
	f.Add(one, 5)
	f.Fuzz(func(t *testing.T, run []byte, each int) {
		if each < 1 || each > 1<<16 {
			return
		}
		var want []string
		for rest := bytes.Clone(run); len(rest) > 0; {
			n := min(each, len(rest))
			if from, payload, _, _ := unwrap(rest[:n:n], n); from.IsValid() {
				want = append(want, fmt.Sprintf("%s %q", from, payload))
			}
			rest = rest[n:]
		}
		var got []string
		for rest := bytes.Clone(run); len(rest) > 0; {
			from, payload, segment, after := unwrap(rest, each)
			if rest = after; !from.IsValid() {
				continue
			}
			for first := true; first || len(payload) > 0; first = false {
				n := min(segment, len(payload))
				got = append(got, fmt.Sprintf("%s %q", from, payload[:n]))
				payload = payload[n:]
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}
