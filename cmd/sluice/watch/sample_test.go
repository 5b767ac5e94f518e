package watch

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"sluice/cmd/sluice/api"
	"sluice/redir/count"
	"sluice/redir/record"
)

func TestRatesAreWhatWasMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway()
		cpu := time.Duration(0)
		w := New(Config{Source: g, Usage: func() (time.Duration, uint64) { cpu += period / 2; return cpu, 1 << 20 }})
		defer w.Close()
		r := g.open(1, 1, false)
		r.Name, r.Held = "example.org", true
		g.open(2, 1, true).State = record.Dialing
		g.move(r, 5000, 7000) // before anybody looked
		samples := subscribe(t, w, api.Query{})
		g.move(r, 100, 200)
		s := <-samples
		if s.Interval != 1 || s.Connections != 2 || s.Dialing != 1 || s.CPU != 0.5 || s.Memory != 1<<20 || !s.Health.Well || s.Total != 2 {
			t.Errorf("%+v", s)
		}
		if n := s.Networks[0]; n.Network != "tcp" || n.RateUp != 100 || n.RateDown != 200 {
			t.Errorf("%+v", n)
		}
		if f := s.Flows[0]; f.RateUp == nil || math.Abs(*f.RateUp-100) > 0.01 || f.BytesUp != 5100 || !f.Held {
			t.Errorf("%+v", f)
		}
		if c := s.Clients[0]; c != (api.Talker{Address: "10.0.0.1", Connections: 1, RateUp: 100, RateDown: 200, BytesUp: 5100, BytesDown: 7200, Held: true}) {
			t.Errorf("%+v", c)
		}
		if d := s.Destinations[0]; d.Address != "192.0.2.1" || d.Name != "example.org" || d.Connections != 1 || d.Sessions != 1 || d.RateDown != 200 {
			t.Errorf("%+v", d)
		}
	})
}

func TestFlowsBetweenTwoLooksCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway()
		w := New(Config{Source: g})
		defer w.Close()
		known := g.open(1, 1, false)
		g.move(known, 1000, 0)
		samples := subscribe(t, w, api.Query{})
		short := g.open(2, 2, false)
		short.Name = "short.example"
		g.move(short, 30, 40)
		g.end(short)
		g.move(known, 50, 60)
		g.end(known)
		s := <-samples
		if c := talkerOf(s.Clients, "10.0.0.2"); c.RateUp != 30 || c.RateDown != 40 || c.Connections != 0 || c.BytesUp != 0 {
			t.Errorf("%+v", c)
		}
		if c := talkerOf(s.Clients, "10.0.0.1"); c.RateUp != 50 || c.RateDown != 60 {
			t.Errorf("%+v", c)
		}
		if d := talkerOf(s.Destinations, "192.0.2.2"); d.Name != "short.example" || d.RateUp != 30 {
			t.Errorf("%+v", d)
		}
		if s = <-samples; len(s.Clients) != 0 || len(s.Destinations) != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestEndAmidALook ends a flow when a slice was copied that it is in, and before that
// is visited.
func TestEndAmidALook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway()
		w := New(Config{Source: g})
		defer w.Close()
		samples := subscribe(t, w, api.Query{})
		g.slice = 1
		g.open(9, 9, false)
		old := g.open(1, 1, false)
		g.move(old, 10, 0)
		<-samples
		g.move(old, 5, 0)
		g.mu.Lock()
		g.amid = func() { // the first slice: the feed is read before old's
			g.mu.Lock()
			g.amid = func() { g.move(old, 7, 0); g.end(old) }
			g.mu.Unlock()
		}
		g.mu.Unlock()
		total := 0.0
		for range 3 {
			s := <-samples
			total += talkerOf(s.Clients, "10.0.0.1").RateUp * s.Interval
		}
		if total != 12 {
			t.Errorf("%v bytes, want 12", total)
		}
	})
}

func TestFlowThatLingersCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway()
		w := New(Config{Source: g})
		defer w.Close()
		samples := subscribe(t, w, api.Query{})
		r := g.open(1, 1, false)
		g.move(r, 10, 0)
		g.tell(r)
		total := 0.0
		for i := range 4 {
			s := <-samples
			total += talkerOf(s.Clients, "10.0.0.1").RateUp
			if i < 3 {
				g.move(r, 1, 0)
			}
		}
		g.vanish(r)
		if total != 13 {
			t.Errorf("%v bytes, want 13", total)
		}
	})
}

// TestOddities are a flow that no look has seen though it is old, numbers that shrink,
// and a clock that is set: none makes a rate that was not.
func TestOddities(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway()
		w := New(Config{Source: g})
		defer w.Close()
		r := g.open(1, 1, false)
		g.move(r, 1000, 1000)
		time.Sleep(time.Minute)
		samples := subscribe(t, w, api.Query{})
		missed := g.open(2, 2, false)
		missed.Start -= int64(30 * time.Second)
		g.move(missed, 1e6, 1e6)
		g.mu.Lock()
		r.Up.Bytes = 10
		g.stats = count.Stats{}
		g.step = -time.Hour
		g.mu.Unlock()
		s := <-samples
		if s.Interval != 1 || s.Networks[0].RateUp != 0 || s.Connections != 0 {
			t.Errorf("%+v", s)
		}
		for _, c := range s.Clients {
			if c.RateUp != 0 || c.RateDown != 0 {
				t.Errorf("%+v", c)
			}
		}
		if f := s.Flows[1]; f.RateUp != nil {
			t.Errorf("a rate of %v after one look", *f.RateUp)
		}
		g.move(missed, 100, 0)
		s = <-samples
		if c := talkerOf(s.Clients, "10.0.0.2"); c.RateUp != 100 || s.Interval != 1 || !s.Time.Equal(time.Now().Add(g.step)) {
			t.Errorf("%v, %+v", s.Time, c)
		}
	})
}

func TestCausesAreSorted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway()
		w := New(Config{Source: g})
		defer w.Close()
		g.stats[count.RefusedBlocked] = 100
		g.stats[count.Fallbacks] = 1
		samples := subscribe(t, w, api.Query{})
		g.mu.Lock()
		g.stats[count.DroppedSend] = 3
		g.stats[count.FailedNoResource] = 2
		g.mu.Unlock()
		s := <-samples
		want := "[{dropped_send dropped 3 3} {no_resource failed 2 2} {refused_blocked refused 100 0}]"
		if got := fmt.Sprint(s.Refusals); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	})
}

func TestTooManyEndsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway()
		w := New(Config{Source: g})
		defer w.Close()
		samples := subscribe(t, w, api.Query{})
		g.open(2, 2, false)
		g.mu.Lock()
		g.amid = func() { // when the sampler does not read
			for range feedSize + 100 {
				g.end(g.open(1, 1, false))
			}
		}
		g.mu.Unlock()
		if s := <-samples; s.Lost != 100 {
			t.Errorf("%d, want 100", s.Lost)
		}
		if s := <-samples; s.Lost != 0 {
			t.Errorf("%d are told again", s.Lost)
		}
	})
}

// TestEveryByteIsCounted lets flows begin, move and end at random, at any time of a
// look: what clients and destinations are said to have moved is all that was.
func TestEveryByteIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway()
		w := New(Config{Source: g})
		defer w.Close()
		samples := subscribe(t, w, api.Query{Limit: -1})
		random := rand.New(rand.NewPCG(1, 2))
		var running []*record.Record
		act := func() {
			for range random.IntN(20) {
				switch n := random.IntN(10); {
				case n < 3:
					running = append(running, g.open(byte(random.IntN(8)), byte(random.IntN(8)), random.IntN(2) == 0))
				case n < 8 && len(running) > 0:
					g.move(running[random.IntN(len(running))], random.Uint64N(100), random.Uint64N(100))
				case len(running) > 0:
					i := random.IntN(len(running))
					g.end(running[i])
					running[i] = running[len(running)-1]
					running = running[:len(running)-1]
				}
			}
		}
		var clients, dests, networks float64
		for range 300 {
			for range 3 {
				act()
				time.Sleep(period / 10)
			}
			g.mu.Lock()
			g.amid = act
			g.mu.Unlock()
			clients, dests, networks = addUp(clients, dests, networks, <-samples)
		}
		clients, dests, networks = addUp(clients, dests, networks, <-samples)
		clients, dests, networks = addUp(clients, dests, networks, <-samples)
		moved := float64(g.stats[count.TCPBytesToUpstream] + g.stats[count.TCPBytesToClient])
		if clients != moved || dests != moved || networks != moved {
			t.Errorf("clients %v, destinations %v, networks %v bytes; want %v", clients, dests, networks, moved)
		}
	})
}

// addUp adds the bytes of a sample.
func addUp(clients, dests, networks float64, s api.Sample) (_, _, _ float64) {
	for _, c := range s.Clients {
		clients += math.Round((c.RateUp + c.RateDown) * s.Interval)
	}
	for _, d := range s.Destinations {
		dests += math.Round((d.RateUp + d.RateDown) * s.Interval)
	}
	for _, n := range s.Networks {
		networks += math.Round((n.RateUp + n.RateDown) * s.Interval)
	}
	return clients, dests, networks
}

func TestTalkersOfAllFamilies(t *testing.T) {
	all := newTalkers()
	for _, a := range []string{"::ffff:10.0.0.1", "10.0.0.1", "2001:db8::1", "2001:db8::2", "fe80::1%a", "fe80::1%b"} {
		all.of(netip.MustParseAddr(a)).add(moved{1, 0})
	}
	all.of(netip.Addr{}).add(moved{100, 0}) // of a flow that has no destination yet
	top := all.top(10, period)
	if len(top) != 5 || top[0].Address != "10.0.0.1" || top[0].RateUp != 2 {
		t.Errorf("%+v", top)
	}
	if len(all.top(0, period)) != 0 || len(all.top(1, period)) != 1 {
		t.Error("more than were asked for")
	}
}

func TestNameIsThatOfTheLastFlow(t *testing.T) {
	all := newTalkers()
	o := all.of(netip.MustParseAddr("192.0.2.1"))
	for _, r := range []record.Record{{Name: "b", Start: 2}, {Name: "a", Start: 1}, {Start: 3}} {
		all.name(o, &r)
	}
	if top := all.top(1, 0); top[0].Name != "b" {
		t.Errorf("%+v", top)
	}
	all.reset()
	if len(all.top(1, 0)) != 0 {
		t.Error("not forgotten")
	}
}
