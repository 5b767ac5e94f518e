//go:build linux

package e2e

import (
	"math"
	"net/http"
	"net/url"
	"testing"
)

// rateSamples are as many samples, and within is how far from the truth their mean may
// be.
const (
	rateSamples = 4
	within      = 0.05
)

// TestRates compares the rates of networks, clients, destinations and flows with the
// pace at which clients send, also of connections that begin and end within a second.
func TestRates(t *testing.T) {
	t.Parallel()
	s, w := controlled(t, setup{flags: []string{"--udp-timeout=2s"}, plain: true})
	g := startGateway(t, s)
	g.shared = writeBackFDs
	r := &paced{gateway: g, over: make(chan struct{})}
	r.begin(t)
	defer r.end()
	var all []sample
	var sent []pacedSum // when each sample came
	if err := w.events(t.Context(), url.Values{"flows": {"50"}}, func(s sample) bool {
		all, sent = append(all, s), append(sent, r.sum())
		return len(all) < 2+rateSamples // the first has no rates, the second may have caught the start
	}); err != nil {
		t.Fatal(err)
	}
	truth := sent[1].until(sent[len(sent)-1])
	all = all[2:]
	mean := func(what func(*sample) float64) float64 {
		sum, seconds := 0.0, 0.0
		for i := range all {
			sum += what(&all[i]) * all[i].Interval
			seconds += all[i].Interval
		}
		return sum / seconds
	}
	four, six := way{}, way{v6: true, tproxy: true}
	up, down, udp, opened := truth.up, truth.down, truth.udp, truth.short
	short := opened * shortBytes
	for _, c := range []struct {
		name string
		want float64
		what func(*sample) float64
	}{
		{"tcp up", up + short, func(s *sample) float64 { return s.network("tcp").RateUp }},
		{"tcp down", down, func(s *sample) float64 { return s.network("tcp").RateDown }},
		{"udp up", udp, func(s *sample) float64 { return s.network("udp").RateUp }},
		{"udp down", udp, func(s *sample) float64 { return s.network("udp").RateDown }},
		{"datagrams", udp / pacedWrite, func(s *sample) float64 { return s.network("udp").DatagramsUp }},
		{"connections a second", opened, func(s *sample) float64 { return s.network("tcp").Opened }},
		{"one client up", up, func(s *sample) float64 { return find(s.Clients, four.client()).RateUp }},
		{"other client down", down, func(s *sample) float64 { return find(s.Clients, six.client()).RateDown }},
		{"short connections' client", short, func(s *sample) float64 { return find(s.Clients, four.normal()).RateUp }},
		{"session's client", udp, func(s *sample) float64 { return find(s.Clients, six.normal()).RateUp }},
		{"destination up", up + short, func(s *sample) float64 { return find(s.Destinations, four.server()).RateUp }},
		{"destination down", down + udp, func(s *sample) float64 { return find(s.Destinations, six.server()).RateDown }},
		{"flow up", up, func(s *sample) float64 { return s.fastest("tcp", four.client()).up() }},
		{"flow down", down, func(s *sample) float64 { return s.fastest("tcp", six.client()).down() }},
		{"session up", udp, func(s *sample) float64 { return s.fastest("udp", six.normal()).up() }},
	} {
		if got := mean(c.what); math.Abs(got/c.want-1) > within {
			t.Errorf("%s: %.0f a second, want %.0f", c.name, got, c.want)
		}
	}
	t.Logf("%d samples of %.0f and %.0f bytes a second by TCP, %.0f by UDP, and %.1f connections", len(all), up, down, udp, opened)
	r.assertAsked(t, w)
}

// assertAsked asks once, for which sluice looks twice. Of one second alone, less is
// known of what was sent in it.
func (r *paced) assertAsked(t *testing.T, w *window) {
	t.Helper()
	near := func(what string, got, want float64) {
		t.Helper()
		if got < want/2 || got > want*2 {
			t.Errorf("%s: %.0f a second, want %.0f", what, got, want)
		}
	}
	var top struct{ Clients, Destinations []talker }
	w.must(t, http.MethodGet, "/v1/top?limit=2", &top)
	if len(top.Clients) != 2 || len(top.Destinations) != 2 {
		t.Fatalf("a top of 2 has %+v", top)
	}
	near("top client", top.Clients[0].RateDown, rateDown)
	near("second client", top.Clients[1].RateUp, rateUp)
	var page flowPage
	w.must(t, http.MethodGet, "/v1/flows?rate=1500000&sort=-rate", &page)
	if len(page.Flows) != 2 || page.Total != 2 {
		t.Fatalf("%d flows are faster than 1.5 MB/s: %+v", page.Total, page.Flows)
	}
	near("slower flow", page.Flows[0].up(), rateUp)
	near("faster flow", page.Flows[1].down(), rateDown)
}
