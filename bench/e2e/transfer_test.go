//go:build linux

package e2e

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// chunk is how much the ends of a transfer read and write at a time.
const chunk = 256 << 10

// transferTime bounds one transfer.
const transferTime = 60 * time.Second

// send writes n bytes of the stream that a seed makes, and returns their SHA-256
// if asked to.
func send(c io.Writer, seed byte, n int64, digest bool) (sum [sha256.Size]byte, err error) {
	noise, hash, buf := rand.NewChaCha8([32]byte{seed}), sha256.New(), make([]byte, chunk)
	for n > 0 && err == nil {
		part := buf[:min(n, chunk)]
		_, _ = noise.Read(part)
		if digest {
			hash.Write(part)
		}
		n -= int64(len(part))
		_, err = c.Write(part)
	}
	return [sha256.Size]byte(hash.Sum(nil)), err
}

// receive reads to the end, and returns the length and the SHA-256.
func receive(c io.Reader) (sum [sha256.Size]byte, n int64, err error) {
	hash, buf := sha256.New(), make([]byte, chunk)
	for {
		k, err := c.Read(buf)
		hash.Write(buf[:k])
		n += int64(k)
		if errors.Is(err, io.EOF) {
			return [sha256.Size]byte(hash.Sum(nil)), n, nil
		}
		if err != nil {
			return sum, n, err
		}
	}
}

// digestOf is the SHA-256 of the first n bytes of a seed's stream.
func digestOf(seed byte, n int64) [sha256.Size]byte {
	sum, _ := send(io.Discard, seed, n, true)
	return sum
}

// transfer sends n bytes from one end to the other and compares digests.
func transfer(from, to *net.TCPConn, seed byte, n int64, want [sha256.Size]byte) error {
	deadline := time.Now().Add(transferTime)
	_, _ = from.SetDeadline(deadline), to.SetDeadline(deadline)
	sent := make(chan error, 1)
	go func() {
		_, err := send(from, seed, n, false)
		sent <- errors.Join(err, from.CloseWrite())
	}()
	sum, got, err := receive(to)
	if err = errors.Join(err, <-sent); err != nil {
		return fmt.Errorf("after %d of %d bytes: %w", got, n, err)
	}
	if got != n || sum != want {
		return fmt.Errorf("%d bytes with SHA-256 %x, want %d with %x", got, sum, n, want)
	}
	return nil
}

// TestTransfer moves a gigabyte to the client (over all ways in the default relay
// mode, over one of each kind in the others), then 100 MB each way at once.
func TestTransfer(t *testing.T) {
	const large, small = 1 << 30, 100 << 20
	largeSum, smallSum := digestOf(1, large), digestOf(2, small)
	for _, mode := range []string{"auto", "copy", "splice"} {
		t.Run(mode, func(t *testing.T) {
			g := startGateway(t, setup{flags: []string{"--relay=" + mode}, plain: true})
			larges := 0
			overWays(t, ways(), func(t *testing.T, w way) {
				if mode == "auto" || w.tproxy == w.v6 {
					client, server := g.pair(t, w)
					if err := transfer(server, client, 1, large, largeSum); err != nil {
						t.Error(err)
					}
					larges++
				}
				client, server := g.pair(t, w)
				var up, down error
				var both sync.WaitGroup
				both.Go(func() { up = transfer(client, server, 2, small, smallSum) })
				both.Go(func() { down = transfer(server, client, 2, small, smallSum) })
				both.Wait()
				if up != nil || down != nil {
					t.Errorf("both ways at once: up %v, down %v", up, down)
				}
			})
			g.untilCounter(t, "tcp_bytes_to_client", larges*large+4*small)
			g.untilCounter(t, "tcp_bytes_to_upstream", 4*small)
		})
	}
}
