//go:build linux

package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"
)

// sample is what /v1/events says each second, as far as tests look at it.
type sample struct {
	Time                  time.Time
	Interval              float64
	Networks              []networkRate
	Clients               []talker
	Destinations          []talker
	Flows                 []flowRecord
	Total                 int
	Memory                int64
	Connections, Sessions int
	Lost                  int
}

type networkRate struct {
	Network       string
	RateUp        float64 `json:"rate_up"`
	RateDown      float64 `json:"rate_down"`
	DatagramsUp   float64 `json:"datagrams_up"`
	DatagramsDown float64 `json:"datagrams_down"`
	Opened, Ended float64
}

type talker struct {
	Address               string
	Connections, Sessions int
	RateUp                float64 `json:"rate_up"`
	RateDown              float64 `json:"rate_down"`
	BytesUp               int64   `json:"bytes_up"`
	BytesDown             int64   `json:"bytes_down"`
}

// events calls each with samples, until it returns false or ctx is done.
func (w *window) events(ctx context.Context, query url.Values, each func(sample) bool) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/v1/events?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	answer, err := w.http.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" {
		return fmt.Errorf("%s, %s", answer.Status, answer.Header.Get("Content-Type"))
	}
	lines, isSample := bufio.NewScanner(answer.Body), false
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			isSample = name == "sample"
		}
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok || !isSample {
			continue
		}
		var s sample
		if err := json.Unmarshal([]byte(data), &s); err != nil {
			return err
		}
		if !each(s) {
			return nil
		}
	}
	return lines.Err()
}

// What TestRates sends, in bytes a second but for the last: by a connection up, by
// another down, by a session each way, and in how many connections a second.
const (
	rateUp     = 2_000_000
	rateDown   = 3_000_000
	rateUDP    = 600_000
	shortConns = 40
	shortBytes = 5000
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
	if err := w.events(t.Context(), url.Values{"flows": {"50"}}, func(s sample) bool {
		all = append(all, s)
		return len(all) < 2+rateSamples // the first has no rates, the second may have caught the start
	}); err != nil {
		t.Fatal(err)
	}
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
	short := float64(shortConns * shortBytes)
	for _, c := range []struct {
		name string
		want float64
		what func(*sample) float64
	}{
		{"tcp up", rateUp + short, func(s *sample) float64 { return s.network("tcp").RateUp }},
		{"tcp down", rateDown, func(s *sample) float64 { return s.network("tcp").RateDown }},
		{"udp up", rateUDP, func(s *sample) float64 { return s.network("udp").RateUp }},
		{"udp down", rateUDP, func(s *sample) float64 { return s.network("udp").RateDown }},
		{"datagrams", rateUDP / 1000, func(s *sample) float64 { return s.network("udp").DatagramsUp }},
		{"connections a second", shortConns, func(s *sample) float64 { return s.network("tcp").Opened }},
		{"one client up", rateUp, func(s *sample) float64 { return find(s.Clients, four.client()).RateUp }},
		{"other client down", rateDown, func(s *sample) float64 { return find(s.Clients, six.client()).RateDown }},
		{"short connections' client", short, func(s *sample) float64 { return find(s.Clients, four.normal()).RateUp }},
		{"session's client", rateUDP, func(s *sample) float64 { return find(s.Clients, six.normal()).RateUp }},
		{"destination up", rateUp + short, func(s *sample) float64 { return find(s.Destinations, four.server()).RateUp }},
		{"destination down", rateDown + rateUDP, func(s *sample) float64 { return find(s.Destinations, six.server()).RateDown }},
		{"flow up", rateUp, func(s *sample) float64 { return s.fastest("tcp", four.client()).up() }},
		{"flow down", rateDown, func(s *sample) float64 { return s.fastest("tcp", six.client()).down() }},
		{"session up", rateUDP, func(s *sample) float64 { return s.fastest("udp", six.normal()).up() }},
	} {
		if got := mean(c.what); math.Abs(got/c.want-1) > within {
			t.Errorf("%s: %.0f a second, want %.0f", c.name, got, c.want)
		}
	}
	r.assertAsked(t, w)
}

// assertAsked asks once, for which sluice looks twice.
func (r *paced) assertAsked(t *testing.T, w *window) {
	t.Helper()
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got/want-1) > 2*within { // of one second alone
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

func (s *sample) network(name string) networkRate {
	for _, n := range s.Networks {
		if n.Network == name {
			return n
		}
	}
	return networkRate{}
}

func find(all []talker, who netip.Addr) talker {
	for _, one := range all {
		if one.Address == who.String() {
			return one
		}
	}
	return talker{}
}

// fastest is the first flow of a client's that the sample has.
func (s *sample) fastest(network string, client netip.Addr) *flowRecord {
	for i := range s.Flows {
		if s.Flows[i].Network == network && netip.MustParseAddrPort(s.Flows[i].Client).Addr() == client {
			return &s.Flows[i]
		}
	}
	return &flowRecord{}
}

// up and down are rates; 0 where they are not known.
func (f *flowRecord) up() float64 {
	if f.RateUp == nil {
		return 0
	}
	return *f.RateUp
}

func (f *flowRecord) down() float64 {
	if f.RateDown == nil {
		return 0
	}
	return *f.RateDown
}

// paced is traffic at a known pace.
type paced struct {
	*gateway
	over chan struct{}
}

func (r *paced) end() { close(r.over) }

// begin starts all of it.
func (r *paced) begin(t *testing.T) {
	four, six := way{}, way{v6: true, tproxy: true}
	up, sink := r.pair(t, four)
	source, down := r.pair(t, six)
	for _, c := range []*net.TCPConn{up, sink, source, down} {
		_ = c.SetDeadline(time.Now().Add(transferTime))
	}
	go discard(sink)
	go discard(source)
	r.keep(rateUp/1000, func() error { _, err := up.Write(payload(1000)); return err })
	r.keep(rateDown/1000, func() error { _, err := down.Write(payload(1000)); return err })

	echo := startEcho(t, r.Server, six.dest(1))
	socket := listenUDP(t, r.Client, netip.AddrPortFrom(six.normal(), 0))
	_ = socket.SetDeadline(time.Time{})
	r.keep(rateUDP/1000, func() error { _, err := socket.WriteToUDPAddrPort(payload(1000), echo.at); return err })
	serveTCP(t, r.Server, four.dest(2), discard)
	for range 4 {
		r.keep(shortConns/4, func() error {
			c, err := r.callFrom(four.normal(), four.dest(2))
			if err == nil {
				_, err = c.Write(payload(shortBytes))
				c.Close()
			}
			return err
		})
	}
}

// callFrom connects as a client.
func (r *paced) callFrom(client netip.Addr, to netip.AddrPort) (c *net.TCPConn, err error) {
	err = r.Client.Do(func() (err error) {
		c, err = connect(netip.AddrPortFrom(client, 0), to)
		return err
	})
	return c, err
}

func discard(c *net.TCPConn) {
	buf := make([]byte, chunk)
	for {
		if _, err := c.Read(buf); err != nil {
			return
		}
	}
}

// keep does something so many times a second, until the end: what is late is made up
// for.
func (r *paced) keep(perSecond int, do func() error) {
	go func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		begun, done := time.Now(), 0
		for {
			select {
			case <-r.over:
				return
			case <-tick.C:
			}
			for ; done < int(time.Since(begun).Seconds()*float64(perSecond)); done++ {
				if do() != nil {
					return
				}
			}
		}
	}()
}
