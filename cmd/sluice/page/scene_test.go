package page_test

import (
	"fmt"
	"math"
	"time"

	"sluice/cmd/sluice/api"
)

// start is when the fake's time begins.
var start = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// hostile is what a network may put into a name.
const hostile = "<img src=x onerror=alert(1)>\u202egpj.\x1b[31m\u200b.example"

func status() api.Status {
	return api.Status{
		Version: "v0.9.0-14-gabcdef", PID: 4711, State: "serving", Started: start.Add(-26 * time.Hour), Engine: "epoll", Reactors: 2,
		Connections: 812, Sessions: 95,
		Inbounds: []api.Inbound{
			{Tag: "lan", Type: "tproxy", Listen: "[::]:12345", Network: []string{"tcp", "udp"}},
			{Tag: "web", Type: "direct", Listen: "[::]:8080", Network: []string{"tcp"}, Destination: "10.0.0.5:80"},
		},
		Outbounds: []api.Outbound{{Tag: "direct", Type: "direct", Up: true}, {Tag: "berlin", Type: "socks", Up: true}, {Tag: "zürich", Type: "http", Up: false}},
		Rules:     api.Rules{Installed: true, Effective: true, Findings: []string{"a rule of inet filter forward limits what is not diverted"}, Zones: []int{7}},
		Limits:    api.Limits{Connections: 10000, Sessions: 65536, SessionsBound: "memory", FDs: 20480, Pipes: 256},
		Use:       api.Use{FDs: 1830, Pipes: 244, Memory: 48_300_000, CPU: 312.5, Dialing: 3, Stalled: 2},
		Kernel:    api.Kernel{Release: "6.1.0-28-amd64", GRO: true, GSO: true, PipeSize: 65536},
		LogLevel:  "info", Confined: []string{"seccomp", "landlock"}, Health: api.Health{Well: true},
	}
}

// sample is the one of a second after start.
func sample(second int) api.Sample {
	at := start.Add(time.Duration(second) * time.Second)
	wave := func(period, low, high float64) float64 {
		return low + (high-low)*(1+math.Sin(2*math.Pi*float64(second)/period))/2
	}
	s := api.Sample{
		Time: at, Interval: 1, Connections: 812, Dialing: 3, Sessions: 95, CPU: 0.184, Memory: 48_300_000, Health: api.Health{Well: true},
		Networks: []api.Network{
			{Network: "tcp", RateDown: wave(40, 8e6, 11.8e6), RateUp: wave(25, 3e5, 9e5), Opened: 12.4, Ended: 11.1},
			{Network: "udp", RateDown: wave(31, 1e6, 2.4e6), RateUp: wave(17, 2e5, 2.1e6), DatagramsDown: 1840, DatagramsUp: 1610, Opened: 3, Ended: 2.5},
		},
		Refusals: []api.Cause{
			{Name: "refused_client_conns", Kind: "refused", Total: 1204, Rate: 6},
			{Name: "upstream_timeout", Kind: "failed", Total: 381, Rate: 0.5},
			{Name: "dropped_send", Kind: "dropped", Total: 17},
			{Name: "a_cause_of_tomorrow", Kind: "dropped", Total: 1},
		},
	}
	for i := range 50 {
		s.Flows = append(s.Flows, flow(i, at))
	}
	s.Total = 907
	for i := range 12 {
		s.Clients = append(s.Clients, api.Talker{Address: client(i), Connections: 40 - 3*i, Sessions: i, RateDown: 4e6 / float64(1+i), RateUp: 6e5 / float64(1+i*i), BytesDown: 9e9 / uint64(1+i), BytesUp: 3e8, Held: i == 1})
		s.Destinations = append(s.Destinations, api.Talker{Address: dest(i), Name: name(i), Connections: 30 - 2*i, RateDown: 3e6 / float64(1+i), RateUp: 2e5, BytesDown: 5e9, BytesUp: 1e8})
	}
	return s
}

func client(i int) string {
	if i%4 == 3 {
		return fmt.Sprintf("2001:db8:85a3:8d3:1319:8a2e:370:%x", 0x7340+i)
	}
	return fmt.Sprintf("192.168.1.%d", 20+i)
}

func dest(i int) string {
	if i%3 == 2 {
		return fmt.Sprintf("2001:db8:ffff:ffff:ffff:ffff:ffff:%x", 0xff00+i)
	}
	return fmt.Sprintf("203.0.113.%d", 7+i)
}

func name(i int) string {
	switch i % 5 {
	case 0:
		return fmt.Sprintf("cdn%d.video.example", i)
	case 1:
		return hostile
	case 2:
		return fmt.Sprintf("a-very-long-name-%d.with-many-labels.that-goes-on-and-on.and-on.in-a-zone.of-somebody.example.com", i)
	}
	return ""
}

func join(address string, port int) string {
	if len(address) > 15 {
		return fmt.Sprintf("[%s]:%d", address, port)
	}
	return fmt.Sprintf("%s:%d", address, port)
}

func flow(i int, at time.Time) api.Flow {
	rule, states := i%3, []string{"relaying", "bulk", "half-closed", "dialing", "lingering"}
	down, up := 4e6/float64(1+i), 3e5/float64(1+i*i)
	f := api.Flow{
		ID: fmt.Sprintf("t0.%x.2a%x", i, i), Network: "tcp", State: states[i%len(states)], Inbound: "lan",
		Client: join(client(i%12), 40000+i), Destination: join(dest(i), 443), Name: name(i), Dialed: join(dest(i), 8443),
		Source: join("198.51.100.1", 50000+i), Outbound: "berlin", Server: "198.51.100.9:1080", Rule: &rule, Mark: 0x2,
		Started: start.Add(-time.Duration(i*i*17+5) * time.Second), Active: at.Add(-time.Duration(i) * time.Second / 2),
		BytesUp: 123_456 * uint64(1+i), BytesDown: 9_876_543_210 / uint64(1+i), Held: i%12 == 1, RateUp: &up, RateDown: &down,
	}
	if i%4 == 1 {
		f.ID, f.Network, f.State, f.Rule = fmt.Sprintf("u1.3e%x", i), "udp", "relaying", nil
		f.DatagramsUp, f.DatagramsDown = 4000, 81_234
	}
	return f
}
