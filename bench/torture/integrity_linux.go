package torture

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"sluice/bench/frame"
)

// integrity sends flows of random sizes both ways, with either half closed first, and
// compares every byte at both ends, for each way to relay.
func integrity(ctx context.Context, s *stage) error {
	each := pick(s, 200, 3335)
	var tally exchangeTally
	for _, v6 := range []bool{false, true} {
		ln, err := s.listen(v6, otherPort)
		if err != nil {
			return err
		}
		accepting(ln, func(conn *net.TCPConn) { tally.serve(conn) })
	}
	for _, relay := range []string{"auto", "copy", "splice"} {
		p, err := s.start(ctx, "--relay="+relay)
		if err != nil {
			return err
		}
		tally.flows(ctx, s, each)
		if err := p.stop(ctx); err != nil {
			return err
		}
	}
	s.note("flows", float64(3*each), "")
	s.atMost("wrong", float64(tally.wrong.Load()), "", 0)
	s.atMost("broken off", float64(tally.broken.Load()), "", 0)
	if first := tally.first.Load(); first != nil {
		return errors.New(*first)
	}
	return nil
}

// exchangeTally counts what became of flows, at both of their ends.
type exchangeTally struct {
	wrong, broken atomic.Int64
	first         atomic.Pointer[string]
}

// errWrong tells bytes that differ, are missing, or are too many.
var errWrong = errors.New("wrong bytes")

func (t *exchangeTally) count(err error) {
	switch {
	case err == nil:
		return
	case errors.Is(err, errWrong):
		t.wrong.Add(1)
	default:
		t.broken.Add(1)
	}
	text := err.Error()
	t.first.CompareAndSwap(nil, &text)
}

// Sizes of flows, in bytes: most are small, some are bulk, which auto then splices.
const (
	smallFlow = 64 << 10
	bulkFlow  = 4 << 20
	bulkShare = 10 // one of so many
	flowWait  = 30 * time.Second
)

// plan is what both ends of a flow do; it begins the flow.
type plan struct {
	Seed     uint64
	Up, Down uint32
	First    uint32 // which half ends before the other begins: 0 the client's, 1 the server's, 2 none
}

const planSize = 20

func randomPlan() plan {
	size := func() uint32 {
		most := uint32(smallFlow)
		if rand.N(bulkShare) == 0 {
			most = bulkFlow
		}
		return rand.N(most)
	}
	return plan{rand.Uint64(), size(), size(), rand.N[uint32](3)}
}

func (t *exchangeTally) flows(ctx context.Context, s *stage, n int) {
	const at = 16
	var running sync.WaitGroup
	for first := range at {
		running.Go(func() {
			_ = s.Client.Do(func() error {
				for i := first; i < n && ctx.Err() == nil; i += at {
					t.count(flow(i%2 == 1))
				}
				return nil
			})
		})
	}
	running.Wait()
}

// flow is the client's end of one.
func flow(v6 bool) error {
	conn, err := dialHere(netip.Addr{}, dest(v6, otherPort), flowWait)
	if err != nil {
		return err
	}
	defer conn.Close()
	p := randomPlan()
	var head [planSize]byte
	if n, err := binary.Encode(head[:], binary.BigEndian, p); err != nil || n != planSize {
		return fmt.Errorf("plan of %d bytes: %w", n, err)
	}
	if _, err := conn.Write(head[:]); err != nil {
		return err
	}
	return p.do(conn, p.Seed, p.Up, p.Seed+1, p.Down, p.First == 0, p.First == 1)
}

// serve is the server's end.
func (t *exchangeTally) serve(conn *net.TCPConn) {
	_ = conn.SetDeadline(time.Now().Add(flowWait))
	var head [planSize]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		t.count(err)
		return
	}
	var p plan
	if _, err := binary.Decode(head[:], binary.BigEndian, &p); err != nil {
		t.count(err)
		return
	}
	t.count(p.do(conn, p.Seed+1, p.Down, p.Seed, p.Up, p.First == 1, p.First == 0))
}

// do sends and receives, one after the other or at once, each half to its end.
func (p plan) do(conn *net.TCPConn, outSeed uint64, out uint32, inSeed uint64, in uint32, sendFirst, receiveFirst bool) error {
	send := func() error {
		b := make([]byte, out)
		frame.Fill(b, outSeed)
		if _, err := conn.Write(b); err != nil {
			return err
		}
		return conn.CloseWrite()
	}
	receive := func() error {
		want := make([]byte, in)
		frame.Fill(want, inSeed)
		got, err := io.ReadAll(conn)
		if err == nil && !bytes.Equal(got, want) {
			err = fmt.Errorf("%w: %d bytes where %d were sent", errWrong, len(got), in)
		}
		return err
	}
	if sendFirst {
		return errors.Join(send(), receive())
	}
	if receiveFirst {
		return errors.Join(receive(), send())
	}
	sent := make(chan error, 1)
	go func() { sent <- send() }()
	return errors.Join(receive(), <-sent)
}
