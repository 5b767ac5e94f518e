package loop

import (
	"fmt"
	"syscall"
	"testing"
)

// BenchmarkPush plans runs of ten datagrams and sends them nowhere: an op is a
// datagram.
func BenchmarkPush(b *testing.B) {
	for _, perRun := range []int{1, 10} {
		b.Run(fmt.Sprint("run=", perRun), func(b *testing.B) {
			batch := NewSendBatch(64)
			batch.transmit = func(_ int, headers []mmsghdr) (int, syscall.Errno) { return len(headers), 0 }
			payload := make([]byte, 1200)
			var envelopes [2]Envelope
			envelopes[0].Dest, envelopes[1].Dest = letter(1), letter(2)
			var g GSO
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				e := &envelopes[i/perRun%2]
				if _, whole := batch.Push(e, payload, len(payload), &g); !whole {
					batch.Send(0, &g)
				}
			}
		})
	}
}

// BenchmarkBatch sends and receives batches over loopback: an op is a datagram
// of 200 bytes, sent and received.
func BenchmarkBatch(b *testing.B) {
	for _, runs := range []bool{false, true} {
		for _, size := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("runs=%v/batch=%d", runs, size), func(b *testing.B) {
				from, to := newPeer(b, "127.0.0.1", 64), newPeer(b, "127.0.0.1", 64)
				if !runs {
					from.gso.Disable()
				}
				payload := make([]byte, 200)
				e := Envelope{Dest: to.addr}
				var m Received
				b.ReportAllocs()
				for n := 0; n < b.N; n += size {
					for range size {
						from.out.Push(&e, payload, len(payload), &from.gso)
					}
					from.out.Send(from.fd, &from.gso)
					got, _ := to.in.Recv(to.fd, 0)
					for i := range got {
						to.in.Message(i, &m)
					}
				}
			})
		}
	}
}

// BenchmarkSendOne compares the ways to send one datagram.
func BenchmarkSendOne(b *testing.B) {
	from, to := newPeer(b, "127.0.0.1", 64), newPeer(b, "127.0.0.1", 64)
	from.out.Push(&Envelope{Dest: to.addr}, make([]byte, 200), 200, &from.gso)
	from.out.encode(0)
	headers := from.out.headers[:1]
	for _, way := range []struct {
		name string
		send func()
	}{
		{"sendto", func() { sendto(from.fd, &headers[0].header) }},
		{"sendmsg", func() { sendmsg(from.fd, &headers[0].header) }},
		{"sendmmsg", func() { sendmmsg(from.fd, headers) }},
	} {
		b.Run(way.name, func(b *testing.B) {
			for b.Loop() {
				way.send()
				to.in.Recv(to.fd, 0)
			}
		})
	}
}
