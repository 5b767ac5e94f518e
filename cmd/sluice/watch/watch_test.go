package watch

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/cmd/sluice/api"
)

func TestSamplerRunsWhileSomebodySubscribes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway()
		w := New(Config{Source: g})
		defer w.Close()
		for range 2 {
			if g.feeds.Wanted() || w.History() != nil {
				t.Error("something runs for nobody")
			}
			samples, leave, err := w.Subscribe(api.Query{})
			if err != nil {
				t.Fatal(err)
			}
			_, leaveToo, _ := w.Subscribe(api.Query{})
			for i := range 3 {
				if s := <-samples; (s.Interval > 0) != (i > 0) {
					t.Errorf("sample %d has an interval of %v", i, s.Interval)
				}
			}
			if !g.feeds.Wanted() || len(w.History()) != 3 {
				t.Errorf("no feed, or a history of %d", len(w.History()))
			}
			leave()
			leave()
			if _, ok := <-samples; ok {
				t.Error("a sample after the leave")
			}
			leaveToo()
			time.Sleep(period)
			synctest.Wait()
		}
		looks := g.looks
		time.Sleep(10 * period)
		if g.looks != looks {
			t.Error("looks for nobody")
		}
	})
}

func TestHistoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway()
		g.open(1, 1, false)
		w := New(Config{Source: g})
		defer w.Close()
		_, leave, _ := w.Subscribe(api.Query{})
		defer leave()
		time.Sleep((historySize + 10) * period)
		synctest.Wait()
		all := w.History()
		if len(all) != historySize {
			t.Fatalf("%d samples", len(all))
		}
		for i, s := range all {
			if i > 0 && s.Time.Sub(all[i-1].Time) != period {
				t.Errorf("%v after %v", s.Time, all[i-1].Time)
			}
			if s.Flows != nil || s.Clients != nil || len(s.Networks) != 2 || s.Connections != 1 {
				t.Errorf("%+v", s)
			}
		}
	})
}

func TestSlowSubscriberGetsTheNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := New(Config{Source: newGateway()})
		defer w.Close()
		slow, leave, _ := w.Subscribe(api.Query{})
		defer leave()
		quick := subscribe(t, w, api.Query{})
		var last api.Sample
		for range 5 {
			last = <-quick
		}
		synctest.Wait()
		if s := <-slow; !s.Time.Equal(last.Time) {
			t.Errorf("the sample of %v, want that of %v", s.Time, last.Time)
		}
	})
}

func TestCloseEndsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway()
		w := New(Config{Source: g})
		samples := subscribe(t, w, api.Query{})
		failed := make(chan error)
		go func() {
			_, err := w.Rates(t.Context(), api.Query{})
			failed <- err
		}()
		synctest.Wait()
		w.Close()
		w.Close()
		if _, ok := <-samples; ok || g.feeds.Wanted() {
			t.Error("the sampler goes on")
		}
		if err := <-failed; !errors.Is(err, ErrClosed) {
			t.Errorf("rates: %v", err)
		}
		if _, _, err := w.Subscribe(api.Query{}); !errors.Is(err, ErrClosed) {
			t.Errorf("subscribe: %v", err)
		}
	})
}

func TestQueriesAreRead(t *testing.T) {
	w := New(Config{Source: newGateway()})
	if _, _, err := w.Subscribe(api.Query{Sort: "x"}); err == nil {
		t.Error("taken")
	}
	if _, err := w.Rates(t.Context(), api.Query{Sort: "x"}); err == nil {
		t.Error("taken")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Top(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	w.Close()
}

func TestRatesAndTop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway()
		w := New(Config{Source: g})
		defer w.Close()
		flows := 30
		for i := range flows {
			g.open(byte(i), byte(i%3), false)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var moving sync.WaitGroup
		moving.Go(func() {
			for ctx.Err() == nil {
				time.Sleep(period / 4)
				for i, r := range g.flows {
					g.move(r, uint64(i), 0)
				}
				time.Sleep(period / 4)
			}
		})
		defer moving.Wait()
		defer cancel()
		synctest.Wait()
		begin := time.Now()
		page, err := w.Rates(t.Context(), api.Query{Sort: "rate", Rate: 20, Limit: 3})
		if err != nil || time.Since(begin) > 2*period {
			t.Fatalf("%v after %v", err, time.Since(begin))
		}
		if len(page.Flows) != 3 || page.Total != 20 || page.Next == "" {
			t.Errorf("%d flows of %d, next %q", len(page.Flows), page.Total, page.Next)
		}
		for i, f := range page.Flows {
			if f.RateUp == nil || int(*f.RateUp+0.5) != 2*(flows-1-i) || *f.RateDown != 0 {
				t.Errorf("%+v", f)
			}
		}
		top, err := w.Top(t.Context(), 2)
		if err != nil || len(top.Clients) != 2 || len(top.Destinations) != 2 {
			t.Fatalf("%+v, %v", top, err)
		}
		if top.Clients[0].Address != "10.0.0.29" || top.Clients[0].RateUp != 58 || top.Destinations[0].Connections != 10 {
			t.Errorf("%+v", top)
		}
	})
}

func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway()
		for i := range 300 {
			g.open(byte(i), byte(i), i%2 == 0)
		}
		w := New(Config{Source: g})
		defer w.Close()
		for limit, want := range map[int]int{0: defaultFlows, -1: 0, 7: 7, 1e9: mostFlows} {
			samples, leave, err := w.Subscribe(api.Query{Limit: limit})
			if err != nil {
				t.Fatal(err)
			}
			s := <-samples
			leave()
			if len(s.Flows) != want || s.Total != 300 || len(s.Clients) != defaultTalkers {
				t.Errorf("limit %d: %d flows of %d, %d clients", limit, len(s.Flows), s.Total, len(s.Clients))
			}
		}
		page, _ := w.Rates(t.Context(), api.Query{Limit: 1e9})
		if len(page.Flows) != 300 {
			t.Errorf("%d flows", len(page.Flows))
		}
	})
}

func TestFailedLookIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway()
		r := g.open(1, 1, false)
		w := New(Config{Source: g, Health: func() api.Health { return api.Health{Causes: []string{"a reactor is stuck"}} }})
		defer w.Close()
		samples := subscribe(t, w, api.Query{})
		g.mu.Lock()
		g.fails = errors.New("stuck")
		g.mu.Unlock()
		for range 20 {
			g.move(r, 10, 0)
			g.end(g.open(2, 2, false))
			s := <-samples
			if s.Networks[0].RateUp != 10 || len(s.Health.Causes) != 1 {
				t.Errorf("%+v", s)
			}
		}
	})
}

// TestLooksThatTakeLong are slow ones, which are complete, and one that a reactor keeps
// waiting, which is given up.
func TestLooksThatTakeLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway()
		g.slice, g.pause = 1, lookWait/2
		for i := range 4 {
			g.open(byte(i), 1, false)
		}
		w := New(Config{Source: g})
		defer w.Close()
		samples := subscribe(t, w, api.Query{})
		if s := <-samples; s.Total != 4 || s.Interval != (4*g.pause+leastRest).Seconds() {
			t.Errorf("%d flows, an interval of %v", s.Total, s.Interval)
		}
		g.mu.Lock()
		g.pause, g.amid = 0, func() { time.Sleep(lookWait + 1) }
		g.mu.Unlock()
		if s := <-samples; s.Total != 0 {
			t.Errorf("%d flows of a reactor that is stuck", s.Total)
		}
		if s := <-samples; s.Total != 4 || s.Interval != (lookWait+1+leastRest).Seconds() {
			t.Errorf("%d flows, an interval of %v", s.Total, s.Interval)
		}
	})
}

// TestSampleIsJSON looks for what JSON has no words for, as where nothing moves.
func TestSampleIsJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway()
		g.open(1, 1, false)
		w := New(Config{Source: g})
		defer w.Close()
		samples, leave, _ := w.Subscribe(api.Query{})
		defer leave()
		for range 3 {
			if _, err := json.Marshal(<-samples); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestMemoryIsGivenBackAfterAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := New(Config{Source: newGateway()})
		given := 0
		giveBack := func() { given++ }
		w.settle(giveBack)
		time.Sleep(settleAfter / 2)
		_, leave, _ := w.Subscribe(api.Query{})
		time.Sleep(settleAfter)
		synctest.Wait()
		w.settle(giveBack) // of a sampler that ends, where another runs
		time.Sleep(2 * settleAfter)
		synctest.Wait()
		if given != 0 {
			t.Error("given back while it is used")
		}
		leave()
		time.Sleep(period)
		synctest.Wait()
		w.settle(giveBack)
		time.Sleep(2 * settleAfter)
		synctest.Wait()
		if given != 1 {
			t.Errorf("given back %d times", given)
		}
		w.settle(giveBack)
		w.Close()
		time.Sleep(2 * settleAfter)
		synctest.Wait()
		if given != 1 {
			t.Error("given back after the end")
		}
	})
}
