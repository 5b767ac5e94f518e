package tcp

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/redir/admit"
	"sluice/redir/count"
	"sluice/redir/inbound"
	"sluice/redir/outbound"
	"sluice/redir/shape"
	"sluice/splice"
)

// rated has clients of w be no faster than a limit.
func (w *turning) rated(l shape.Limit) { w.shared.clients.SetRates(&admit.Rates{All: l}) }

// someonesShaper is the shaper of the client of conns.
func (w *turning) someonesShaper(t *testing.T) *shape.Shaper {
	t.Helper()
	c, refusal := w.shared.clients.Open(someone)
	if c == nil {
		t.Fatal(refusal)
	}
	defer c.End()
	return c.Shaper(1)
}

// now is the reactor's time.
func (w *turning) now() (now int64) {
	w.on(func() { now = w.r.Now() })
	return now
}

func plainWay() *outbound.Way {
	return outbound.Plain(inbound.New(inbound.Spec{Kind: inbound.TProxy, Tag: "t"}, 1, inbound.Defaults{}))
}

// TestRest asserts that a conn moves no faster than its client may, loses nothing of
// it, passes its end on behind, and asks for no turn of the reactor where nothing is to
// be moved.
func TestRest(t *testing.T) {
	w := turningWorker(t, settings())
	w.rated(shape.Limit{Up: 1 << 20, Down: 2 << 20})
	data := bytes.Repeat([]byte("sluice"), 50_000)
	dest := serve(t, "tcp4", echo)
	start := time.Now()
	client := w.begin(plainWay(), dest, "")
	go func() {
		client.Write(data)
		client.CloseWrite()
	}()
	got, err := io.ReadAll(client)
	if err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%d of %d bytes came back: %v", len(got), len(data), err)
	}
	least := time.Duration(float64(len(data))/(1<<20)*float64(time.Second)) - 60*time.Millisecond // a burst, and a piece
	if took := time.Since(start); took < least {
		t.Errorf("it took %v, less than %v", took, least)
	}
	w.counted(count.ConnsFinished, 1)
	s := w.someonesShaper(t)
	if s.Held(w.now() + int64(time.Minute)) {
		t.Error("somebody rests on and on")
	}

	client = w.begin(plainWay(), dest, "")
	for range 3 {
		client.Write(data[:20_000])
		if _, err := io.ReadFull(client, make([]byte, 20_000)); err != nil {
			t.Fatal(err)
		}
	}
	w.on(func() {})
	before := w.r.Turns()
	unix.Poll(nil, 200)
	if n := w.r.Turns() - before; n > 2 { // two: the turn of on may not be over, and the last acknowledgement make an edge
		t.Errorf("%d turns, and nothing is to be moved", n)
	}
}

// TestRestEnds asserts that conns which end while they rest leave nobody waiting, and
// their client what they did not need.
func TestRestEnds(t *testing.T) {
	for name, end := range map[string]func(w *turning, c *conn, client *net.TCPConn){
		"the operator": func(w *turning, c *conn, _ *net.TCPConn) { w.on(func() { c.abort(count.ConnsKilled) }) },
		"the other side": func(w *turning, _ *conn, client *net.TCPConn) {
			client.SetLinger(0)
			client.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := turningWorker(t, settings())
			w.rated(shape.Limit{Up: shape.Off, Down: 10_000})
			dest := serve(t, "tcp4", func(c *net.TCPConn) { io.Copy(c, bytes.NewReader(make([]byte, 1<<20))) })
			client := w.begin(plainWay(), dest, "")
			if _, err := io.ReadFull(client, make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
			s, c := w.someonesShaper(t), w.resting(t)
			if !s.Held(w.now()) || !w.isHeld(c) {
				t.Error("a conn rests, and its client is not held")
			}
			end(w, c, client)
			w.counted(count.ConnsClosed, 1)
			if s.Held(w.now() + int64(time.Minute)) {
				t.Error("somebody rests on and on")
			}
			if s.Owes(w.now() + int64(2*time.Second)) {
				t.Error("what was not moved is to be paid for")
			}
		})
	}
}

// resting is the conn that rests.
func (w *turning) resting(t *testing.T) (found *conn) {
	t.Helper()
	for deadline := time.Now().Add(longWait); found == nil; {
		if time.Now().After(deadline) {
			t.Fatal("nobody rests")
		}
		w.on(func() {
			w.conns.each(func(c *conn) {
				if c.has(isResting) {
					found = c
				}
			})
		})
	}
	return found
}

func (w *turning) isHeld(c *conn) (held bool) {
	w.on(func() { held = c.held() })
	return held
}

// TestRateChanges asserts that a conn which rests goes on by the rate that holds now.
func TestRateChanges(t *testing.T) {
	w := turningWorker(t, settings())
	w.rated(shape.Limit{Up: shape.LeastRate, Down: shape.Off})
	data := bytes.Repeat([]byte("sluice"), 50_000)
	client := w.begin(plainWay(), serve(t, "tcp4", echo), "")
	go client.Write(data)
	c := w.resting(t)
	w.rated(shape.Limit{Up: 10 << 20, Down: shape.Off})
	set := settings()
	w.on(func() { w.Set(&set) })
	if _, err := io.ReadFull(client, make([]byte, len(data)/2)); err != nil {
		t.Fatal(err)
	}
	w.rated(shape.Limit{})
	w.on(func() { w.Set(&set) })
	if _, err := io.ReadFull(client, make([]byte, len(data)-len(data)/2)); err != nil {
		t.Fatal(err)
	}
	w.on(func() {
		if c.has(isResting) || c.extra.rest.timer.Armed() {
			t.Error("it rests, and there is no rate")
		}
	})
}

// TestRestIsNoIdleness asserts that what a conn that rests waits for does not end it.
func TestRestIsNoIdleness(t *testing.T) {
	set := settings()
	set.HalfCloseTimeout, set.IdleTimeout = 700*time.Millisecond, 700*time.Millisecond
	w := turningWorker(t, set)
	w.rated(shape.Limit{Up: 20_000, Down: shape.Off})
	data := make([]byte, 40_000)
	client := w.begin(plainWay(), serve(t, "tcp4", echo), "")
	client.Write(data)
	client.CloseWrite()
	if got, err := io.ReadAll(client); err != nil || len(got) != len(data) {
		t.Errorf("%d of %d bytes came back: %v", len(got), len(data), err)
	}
}

// TestRestDoesNotAllocate has a conn move and rest by turns.
func TestRestDoesNotAllocate(t *testing.T) {
	w := testWorker(t)
	w.shared.clients.SetRates(&admit.Rates{All: shape.Limit{Up: shape.LeastRate, Down: shape.LeastRate}})
	c := w.addConn(t, 0, true)
	s := c.of.Shaper(c.way.In.ID)
	round := func() {
		c.relay.Notify(clientSide, splice.In)
		c.pump()
		c.relay.Notify(clientSide, splice.In)
		for s.Up.Take(w.r.Now()) <= w.r.Now() {
		}
		if c.pump(); !c.has(isResting) {
			t.Fatal("it does not rest")
		}
		c.leaveRest()
	}
	round()
	if n := testing.AllocsPerRun(100, round); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
