//go:build linux

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"
)

// fate is what one end of a connection does: it sends, perhaps in pieces, reads,
// perhaps slowly, and ends in one of several ways.
type fate struct {
	data   []byte
	pieces int  // writes that data is sent by
	lazy   bool // reads a little at a time
	end    ending
}

type ending uint8

const (
	finAtOnce ending = iota // shut down after the last byte, then read to the end
	finLast                 // read to the end first
	rstAfter                // reset after the last byte
	rstMidway               // reset after half of the bytes
	endings
)

func drawFate(r *rand.Rand) fate {
	sizes := []int{0, 1, 100, 5000, 65536, 300_000, 2_000_000}
	return fate{data: payload(sizes[r.IntN(len(sizes))]), pieces: 1 + r.IntN(5), lazy: r.IntN(4) == 0, end: ending(r.IntN(int(endings)))}
}

// live plays a fate at one end, and returns what it read.
func (f fate) live(c *net.TCPConn) (got []byte, err error) {
	defer c.Close()
	ended := make(chan struct{})
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(ended)
		buf := make([]byte, 64<<10)
		if f.lazy {
			buf = buf[:700]
		}
		for {
			n, e := c.Read(buf)
			got = append(got, buf[:n]...)
			if e != nil {
				if !errors.Is(e, io.EOF) {
					err = e
				}
				return
			}
		}
	})
	send := f.data
	if f.end == rstMidway {
		send = send[:len(send)/2]
	}
	for i := range f.pieces {
		if _, e := c.Write(send[i*len(send)/f.pieces : (i+1)*len(send)/f.pieces]); e != nil {
			break
		}
	}
	switch f.end {
	case finAtOnce:
		_ = c.CloseWrite()
	case finLast:
		select { // two ends that both wait for the other's would wait for ever
		case <-ended:
		case <-time.After(300 * time.Millisecond):
		}
		_ = c.CloseWrite()
	default:
		_ = c.SetLinger(0)
		c.Close()
	}
	reading.Wait()
	return got, err
}

// TestMixture runs hundreds of connections of all fates at once. What arrives
// must be what was sent: all of it where nobody reset, a beginning otherwise.
func TestMixture(t *testing.T) {
	t.Parallel()
	const n, atOnce = 400, 64
	for _, mode := range []string{"auto", "splice"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			seed := uint64(time.Now().UnixNano())
			r := rand.New(rand.NewPCG(seed, 0))
			g := startGateway(t, setup{flags: []string{"--relay=" + mode}})
			var fates [n][2]fate
			for i := range fates {
				fates[i] = [2]fate{drawFate(r), drawFate(r)}
			}
			failed := g.runMixture(t, fates[:], atOnce)
			if failed != nil {
				t.Errorf("seed %d: %v", seed, failed)
			}
		})
	}
}

// runMixture plays each pair of fates, client's and server's, on a connection of
// its own.
func (g *gateway) runMixture(t *testing.T, fates [][2]fate, atOnce int) error {
	var listeners [4]*net.TCPListener
	var accepting [4]sync.Mutex // a connection is dialled and accepted in one go, so that ends meet
	for i, w := range ways() {
		listeners[i] = listenTCP(t, g.Server, w.dest(0))
	}
	places := make(chan struct{}, atOnce)
	errs := make([]error, len(fates))
	var all sync.WaitGroup
	for i, f := range fates {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			k := i % 4
			accepting[k].Lock()
			client, err := inClient(g, ways()[k].dest(0))
			var server *net.TCPConn
			if err == nil {
				_ = listeners[k].SetDeadline(time.Now().Add(patience))
				server, err = listeners[k].AcceptTCP()
			}
			accepting[k].Unlock()
			if err == nil {
				_, _ = client.SetDeadline(time.Now().Add(crowdTime)), server.SetDeadline(time.Now().Add(crowdTime))
				err = playBoth(client, server, f)
			}
			if err != nil {
				errs[i] = fmt.Errorf("connection %d, %v: %w", i, ways()[k], err)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

func playBoth(client, server *net.TCPConn, f [2]fate) error {
	var got [2][]byte
	var errs [2]error
	var both sync.WaitGroup
	for i, c := range []*net.TCPConn{client, server} {
		both.Go(func() { got[i], errs[i] = f[i].live(c) })
	}
	both.Wait()
	for i := range f {
		mine, sent := got[i], f[1-i]
		clean := f[0].end <= finLast && f[1].end <= finLast
		switch {
		case !bytes.HasPrefix(sent.data, mine):
			return fmt.Errorf("end %d read %d bytes that were not sent; fates %v", i, len(mine), describe(f))
		case clean && (len(mine) != len(sent.data) || errs[i] != nil):
			return fmt.Errorf("end %d read %d bytes of %d, %v; fates %v", i, len(mine), len(sent.data), errs[i], describe(f))
		case errors.Is(errs[i], os.ErrDeadlineExceeded):
			return fmt.Errorf("end %d waited for ever after %d bytes; fates %v", i, len(mine), describe(f))
		}
	}
	return nil
}

func describe(f [2]fate) string {
	var text string
	for _, x := range f {
		text += fmt.Sprintf("{%d bytes in %d, lazy %v, end %d}", len(x.data), x.pieces, x.lazy, x.end)
	}
	return text
}

// TestResetBeforeUpstream asserts that bytes are not lost when the client sends
// and resets, or closes, before sluice can have reached the server.
func TestResetBeforeUpstream(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	overWays(t, ways(), func(t *testing.T, w way) {
		ln := listenTCP(t, g.Server, w.dest(0))
		for range 30 {
			for _, linger := range []int{-1, 0} {
				if err := g.Client.Do(func() error {
					conn, err := connect(netip.AddrPort{}, w.dest(0))
					if err != nil {
						return err
					}
					_, err = conn.Write(payload(1000))
					return errors.Join(err, conn.SetLinger(linger), conn.Close())
				}); err != nil {
					t.Fatal(err)
				}
				server := accept(t, ln)
				if linger < 0 {
					wantEnd(t, server, payload(1000))
				} else {
					wantReset(t, server, payload(1000))
				}
				server.Close()
			}
		}
	})
}
