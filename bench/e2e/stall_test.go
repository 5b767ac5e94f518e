//go:build linux

package e2e

import (
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"sluice/bench/lab"
)

// countingConn counts what was written through it.
type countingConn struct {
	*net.TCPConn
	written atomic.Int64
}

func (c *countingConn) Write(p []byte) (int, error) {
	n, err := c.TCPConn.Write(p)
	c.written.Add(int64(n))
	return n, err
}

// TestStall asserts that a reader that stops makes the writer stop, that sluice
// holds little meanwhile and takes no CPU, and that all arrives once it reads on.
func TestStall(t *testing.T) {
	t.Parallel()
	const (
		each   = 64 << 20                // bytes of each connection
		stall  = 1500 * time.Millisecond // how long nothing may move
		growth = 16 << 20                // bytes that sluice may grow by, for 16 connections
		buffer = 1 << 20                 // bytes of each socket's buffers, at most (tcp_wmem, tcp_rmem)
		queues = 6 * buffer              // bytes that two connections and a pipe between them may hold
	)
	want := digestOf(3, each)
	for _, mode := range []string{"auto", "copy", "splice"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, setup{flags: []string{"--relay=" + mode}, plain: true})
			for _, ns := range []*lab.Namespace{g.Client, g.Lab.Gateway, g.Server} {
				for _, key := range []string{"net/ipv4/tcp_rmem", "net/ipv4/tcp_wmem"} {
					if err := ns.Sysctl(key, fmt.Sprintf("4096 65536 %d", buffer)); err != nil {
						t.Fatal(err)
					}
				}
			}
			before := g.Memory()
			var readers []*net.TCPConn
			var writers []*countingConn
			for _, w := range ways() {
				for range 2 {
					client, server := g.pair(t, w)
					readers = append(readers, client)
					writers = append(writers, &countingConn{TCPConn: server})
					client, server = g.pair(t, w)
					readers = append(readers, server)
					writers = append(writers, &countingConn{TCPConn: client})
				}
			}
			sent := make(chan error, len(writers))
			for i, writer := range writers {
				_, _ = readers[i].SetDeadline(time.Now().Add(transferTime)), writer.SetDeadline(time.Now().Add(transferTime))
				go func() {
					_, err := send(writer, 3, each, false)
					_ = writer.CloseWrite()
					sent <- err
				}()
			}
			total := func() (sum int64) {
				for _, w := range writers {
					sum += w.written.Load()
				}
				return sum
			}
			stopped := time.Now()
			last := int64(-1)
			until(t, "the writers stop", func() bool {
				if now := total(); now != last {
					last, stopped = now, time.Now()
				}
				return last > 0 && time.Since(stopped) > stall
			})
			for i, w := range writers {
				if n := w.written.Load(); n > queues {
					t.Errorf("writer %d wrote %d bytes that nobody read", i, n)
				}
			}
			if grown := g.Memory() - before; grown > growth {
				t.Errorf("sluice grew by %d bytes", grown)
			}
			g.assertIdle(t)
			for i, r := range readers {
				if sum, n, err := receive(r); err != nil || n != each || sum != want {
					t.Errorf("reader %d got %d bytes, %v", i, n, err)
				}
			}
			for range writers {
				if err := <-sent; err != nil {
					t.Errorf("writer: %v", err)
				}
			}
		})
	}
}
