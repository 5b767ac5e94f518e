package splice

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// script is what one peer does: send a stream in pieces, stop reading now and then, and end in one of several ways.
type script struct {
	data   []byte
	pieces []int // bytes of each write
	stalls []int // after how many received bytes to wait until the other peer has written all it can
	reset  bool  // end with RST instead of FIN
}

func newScript(rng *rand.Rand, seed uint64, mayReset bool) script {
	sizes := []int{0, 1, 100, 5_000, 70_000, 1_000_000, 3_000_000}
	s := script{data: pattern(seed, rng.IntN(sizes[rng.IntN(len(sizes))]+1)), reset: mayReset && rng.IntN(4) == 0}
	for left := len(s.data); left > 0; {
		n := min(left, 1+rng.IntN([]int{10_000, 100_000, 1_000_000}[rng.IntN(3)]))
		s.pieces = append(s.pieces, n)
		left -= n
	}
	if len(s.data) > 10_000 { // bounds the writes without losing their spread
		s.pieces = s.pieces[:min(len(s.pieces), 1000)]
	}
	for range rng.IntN(3) {
		s.stalls = append(s.stalls, rng.IntN(500_000))
	}
	return s
}

// write plays the sending half.
func (s script) write(p peer) error {
	data := s.data
	for _, n := range append(s.pieces, len(data)) {
		n = min(n, len(data))
		if _, err := p.Write(data[:n]); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// read plays the receiving half: it lets the senders run into the stall before it goes on.
func (s script) read(p peer) ([]byte, error) {
	var got bytes.Buffer
	for _, stall := range s.stalls {
		if _, err := io.CopyN(&got, p, int64(stall)); err != nil {
			if err == io.EOF {
				err = nil
			}
			return got.Bytes(), err
		}
		unix.Poll(nil, 5)
	}
	_, err := got.ReadFrom(p)
	return got.Bytes(), err
}

// Random schedules of writes, stalls, half-closes and resets on both sides: what is received is always what was sent, in order,
// and all of it unless somebody reset.
func TestRandomSchedules(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 5
	}
	for _, network := range ways {
		for seed := range uint64(rounds) {
			randomSchedule(t, network, seed, seed%2 == 1)
		}
	}
}

func FuzzSchedule(f *testing.F) {
	f.Add(uint64(1), uint8(0), false)
	f.Add(uint64(2), uint8(1), true)
	f.Fuzz(func(t *testing.T, seed uint64, network uint8, bounded bool) {
		randomSchedule(t, ways[int(network)%len(ways)], seed, bounded)
	})
}

// randomAllowances are none at times, of a few bytes or of many at others.
func randomAllowances(seed uint64) func() Allowance {
	rng := rand.New(rand.NewPCG(seed, 43))
	return func() (a Allowance) {
		for side := range a {
			if n := rng.IntN(8); n > 0 {
				a[side] = uint64(rng.IntN(8 << (2 * n)))
			}
		}
		return a
	}
}

func randomSchedule(t *testing.T, network string, seed uint64, bounded bool) {
	rng := rand.New(rand.NewPCG(seed, 42))
	c := Config{Mode: Mode(rng.IntN(3)), BufferSize: 4096 << rng.IntN(5), Budget: 1 << (8 + rng.IntN(14)), MaxPipes: 1 + rng.IntN(2)}
	g := newRig(t, network, c)
	if bounded {
		g.allow = randomAllowances(seed)
	}
	small := rng.IntN(2) == 0
	if small {
		for _, fd := range g.fds {
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 128<<10)
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 128<<10)
		}
	}
	g.run()
	resets := !strings.HasPrefix(network, "unix")
	peers := [2]peer{g.client, g.server}
	scripts := [2]script{newScript(rng, 2*seed, resets), newScript(rng, 2*seed+1, resets)}
	clean := !scripts[A].reset && !scripts[B].reset
	type outcome struct {
		side  Side
		got   []byte
		err   error
		wrote error
	}
	outcomes := make(chan outcome, 2)
	for side, s := range scripts {
		p := peers[side]
		wrote := make(chan error, 1)
		go func() {
			err := s.write(p)
			if s.reset {
				reset(t, p)
			} else if err == nil {
				err = p.CloseWrite()
			}
			wrote <- err
		}()
		go func() {
			got, err := s.read(p)
			outcomes <- outcome{Side(side), got, err, <-wrote}
		}()
	}
	for range 2 {
		o := <-outcomes
		sent := scripts[o.side.other()].data
		switch {
		case !bytes.HasPrefix(sent, o.got):
			t.Errorf("seed %d %s: side %d got %d bytes that were not sent so", seed, network, o.side, len(o.got))
		case clean && (o.err != nil || o.wrote != nil || len(o.got) != len(sent)):
			t.Errorf("seed %d %s: side %d got %d of %d bytes, %v, %v", seed, network, o.side, len(o.got), len(sent), o.err, o.wrote)
		case o.err == nil && o.wrote == nil && len(o.got) != len(sent): // a failed write takes the error away from the read
			t.Errorf("seed %d %s: side %d got an end after %d of %d bytes", seed, network, o.side, len(o.got), len(sent))
		case errors.Is(o.err, os.ErrDeadlineExceeded):
			t.Errorf("seed %d %s: %v", seed, network, o.err)
		}
	}
	v := g.verdict()
	if clean && v.status != Finished {
		t.Errorf("seed %d %s: %+v", seed, network, v)
	}
}
