package metrics

import (
	"strings"

	"sluice/redir/count"
)

// traffic writes what was carried, and what was not.
func (p *page) traffic(s *Snapshot) {
	c := &s.Counters
	p.counter("sluice_connections_total", "TCP connections that were accepted.").is(c[count.ConnsAccepted])
	p.counter("sluice_connections_closed_total", "TCP connections that have ended, whatever came of them.").is(c[count.ConnsClosed])
	p.gauge("sluice_connections", "TCP connections there are.").is(c.ConnsNow())
	p.gauge("sluice_connections_dialing", "Those of them whose destination has not answered yet.").number(s.Status.Use.Dialing)
	p.gauge("sluice_connections_stalled", "Those of them whose reader takes nothing.").number(s.Status.Use.Stalled)
	p.counter("sluice_sessions_total", "UDP sessions that were opened.").is(c[count.FlowsOpened])
	p.counter("sluice_sessions_closed_total", "UDP sessions that have ended.").is(c[count.FlowsClosed])
	p.gauge("sluice_sessions", "UDP sessions there are.").is(c.FlowsNow())

	bytes := p.counter("sluice_bytes_total", "Bytes of payload that were carried, up from clients to destinations and down.")
	bytes.is(c[count.TCPBytesToUpstream], "network", "tcp", "direction", "up")
	bytes.is(c[count.TCPBytesToClient], "network", "tcp", "direction", "down")
	bytes.is(c[count.UDPBytesToUpstream], "network", "udp", "direction", "up")
	bytes.is(c[count.UDPBytesToClient], "network", "udp", "direction", "down")
	datagrams := p.counter("sluice_datagrams_total", "UDP datagrams that were carried, up from clients to destinations and down.")
	datagrams.is(c[count.DatagramsToUpstream], "direction", "up")
	datagrams.is(c[count.DatagramsToClient], "direction", "down")
}

// causes writes every other counter, by the name that it has in logs.
func (p *page) causes(s *Snapshot) {
	for _, k := range []struct {
		kind             count.Kind
		name, help, what string
	}{
		{count.Refusal, "sluice_refused_total", "Connections and datagrams that were turned away, by cause.", "cause"},
		{count.Failure, "sluice_failed_total", "Connections and sessions that could not be carried, by cause.", "cause"},
		{count.Drop, "sluice_dropped_total", "Datagrams that were lost inside sluice, by cause.", "cause"},
		{count.Event, "sluice_events_total", "What else was counted, by name.", "event"},
	} {
		family := p.counter(k.name, k.help)
		for _, c := range count.All() {
			if c.Kind() == k.kind {
				family.is(s.Counters[c], k.what, c.String())
			}
		}
	}
	ended := p.counter("sluice_ended_total", "Connections and sessions that have ended, by how.")
	for _, c := range count.All() {
		if c.Kind() == count.End {
			ended.is(s.Counters[c], "network", networkOf(c), "cause", c.String())
		}
	}
}

// networkOf is that of an end.
func networkOf(c count.Counter) string {
	if strings.HasPrefix(c.String(), "udp_") {
		return "udp"
	}
	return "tcp"
}

// times writes the histograms.
func (p *page) times(s *Snapshot) {
	p.histogram("sluice_connect_seconds", "Time from a dial to the answer of the destination, or of an outbound's server.").times(&s.Times[count.ConnectTime])
	p.histogram("sluice_first_byte_seconds", "Time from accept to the first byte that the upstream sent.").times(&s.Times[count.FirstByteTime])
	duration := p.histogram("sluice_duration_seconds", "How long connections and sessions have lasted that have ended.")
	duration.times(&s.Times[count.ConnDuration], "network", "tcp")
	duration.times(&s.Times[count.FlowDuration], "network", "udp")
}
