package watch

import (
	"testing"
	"testing/synctest"
	"time"

	"sluice/cmd/sluice/api"
	"sluice/redir/record"
)

func TestDetailsAreAskedForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway()
		for i := range mostAsked + 10 {
			g.open(byte(i), 1, false)
		}
		g.open(1, 1, true)
		w := New(Config{Source: g})
		defer w.Close()
		samples, leave, _ := w.Subscribe(api.Query{Limit: mostFlows})
		defer leave()
		for i, want := range []int{mostAsked, mostAsked + 10, mostAsked + 10} {
			told := 0
			for _, f := range (<-samples).Flows {
				if f.Source == source.String() {
					told++
				}
			}
			if g.timesAsked() != want || told != want {
				t.Errorf("look %d: %d were asked and %d told of, want %d", i, g.timesAsked(), told, want)
			}
		}
		g.vanish(g.flows[0])
		r := g.open(1, 1, false)
		<-samples
		if g.timesAsked() != mostAsked+11 {
			t.Errorf("%d were asked, want one more", g.timesAsked())
		}
		for i, state := range []record.State{record.HalfClosed, record.Dialing, record.Dialing, record.Relaying} {
			g.mu.Lock()
			if i == 1 {
				r.ID = record.ConnID(1, 0, 0)
			}
			r.State = state
			g.mu.Unlock()
			<-samples
			if want := mostAsked + []int{11, 12, 12, 13}[i]; g.timesAsked() != want {
				t.Errorf("%v: asked %d times, want %d", state, g.timesAsked(), want)
			}
		}
	})
}

// TestDetailsAreNotWaitedFor lets a reactor be stuck after a look.
func TestDetailsAreNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway()
		g.isStuck = true
		for i := range 5 {
			g.open(byte(i), 1, false)
		}
		w := New(Config{Source: g})
		defer w.Close()
		begin := time.Now()
		samples := subscribe(t, w, api.Query{})
		if time.Since(begin) != askWait || g.timesAsked() != 1 {
			t.Errorf("%v, %d were asked", time.Since(begin), g.timesAsked())
		}
		if s := <-samples; len(s.Flows) != 5 {
			t.Errorf("%d flows", len(s.Flows))
		}
	})
}
