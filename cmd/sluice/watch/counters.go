package watch

import (
	"cmp"
	"slices"
	"time"

	"sluice/cmd/sluice/api"
	"sluice/redir/count"
)

// counters tells of networks and of what was not carried, by what was counted between
// two looks.
type counters struct {
	at          time.Time // of now; zero: there was no look yet
	before, now count.Stats
	interval    time.Duration

	cpu   time.Duration
	cpuAt time.Time // zero: not asked yet
}

// look takes up what is counted now, and returns the time since the last look.
func (c *counters) look(now count.Stats) time.Duration {
	at := time.Now()
	if c.interval = 0; !c.at.IsZero() {
		c.interval = at.Sub(c.at)
	}
	c.at, c.before, c.now = at, c.now, now
	return c.interval
}

// sample is what they tell.
func (c *counters) sample() api.Sample {
	return api.Sample{
		Interval: c.interval.Seconds(),
		Networks: []api.Network{
			c.network("tcp", count.TCPBytesToUpstream, count.TCPBytesToClient, 0, 0, count.ConnsAccepted, count.ConnsClosed),
			c.network("udp", count.UDPBytesToUpstream, count.UDPBytesToClient, count.DatagramsToUpstream, count.DatagramsToClient, count.FlowsOpened, count.FlowsClosed),
		},
		Refusals:    c.causes(),
		Connections: connections(&c.now),
		Sessions:    sessions(&c.now),
	}
}

func (c *counters) network(name string, up, down, datagramsUp, datagramsDown, opened, ended count.Counter) api.Network {
	return api.Network{
		Network: name, RateUp: c.rate(up), RateDown: c.rate(down),
		DatagramsUp: c.rate(datagramsUp), DatagramsDown: c.rate(datagramsDown),
		Opened: c.rate(opened), Ended: c.rate(ended),
	}
}

// rate is that of a counter a second; of 0, which counts nothing, 0.
func (c *counters) rate(what count.Counter) float64 {
	return perSecond(since(c.before[what], c.now[what]), c.interval)
}

// causes are those that are not zero, the most frequent of late first.
func (c *counters) causes() []api.Cause {
	all := []api.Cause{}
	for what, total := range c.now {
		what := count.Counter(what)
		kind := what.Kind()
		if total > 0 && (kind == count.Refusal || kind == count.Failure || kind == count.Drop) {
			all = append(all, api.Cause{Name: what.String(), Kind: kind.String(), Total: total, Rate: c.rate(what)})
		}
	}
	slices.SortFunc(all, func(a, b api.Cause) int {
		return cmp.Or(cmp.Compare(b.Rate, a.Rate), cmp.Compare(b.Total, a.Total), cmp.Compare(a.Name, b.Name))
	})
	return all
}

// use adds what the process takes.
func (c *counters) use(s *api.Sample, usage func() (time.Duration, uint64)) {
	cpu, memory := usage()
	at := time.Now()
	s.Memory = memory
	if !c.cpuAt.IsZero() {
		s.CPU = perSecond(uint64(max(0, cpu-c.cpu)), at.Sub(c.cpuAt)) / float64(time.Second)
	}
	c.cpu, c.cpuAt = cpu, at
}

// connections are those of a time about which counters differ: a connection may be
// counted as closed, and not yet as accepted.
func connections(s *count.Stats) int { return int(since(s[count.ConnsClosed], s[count.ConnsAccepted])) }

// sessions are those of UDP, likewise.
func sessions(s *count.Stats) int { return int(since(s[count.FlowsClosed], s[count.FlowsOpened])) }
