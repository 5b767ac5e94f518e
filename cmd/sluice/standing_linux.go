package main

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"sluice/cmd/sluice/api"
	"sluice/cmd/sluice/health"
	"sluice/cmd/sluice/metrics"
	"sluice/cmd/sluice/usage"
	"sluice/redir"
	"sluice/redir/count"
	"sluice/redir/inbound"
)

// States of a process (api.Status).
const (
	stateStarting   = "starting"
	stateServing    = "serving"
	stateDraining   = "draining"
	stateHandedOver = "handed-over"
)

// standing is how a running process stands, for those who ask: any goroutine. None of
// it waits for a reactor, a reload or the end.
type standing struct {
	server  *redir.Server
	guard   *guard // nil: no keeper
	usage   *usage.Reader
	lines   *metrics.Lines
	started time.Time
	release string // of the kernel

	state    atomic.Value // string
	confined atomic.Value // []string
	serves   atomic.Pointer[served]
	records  atomic.Pointer[func() []metrics.Records] // nil: none are written
}

// served is what a configuration opens. It never changes.
type served struct {
	inbounds []api.Inbound
	tcp, udp bool
	installs bool // the rules
}

// newStanding opens what it reads, before confinement forbids it.
func newStanding(server *redir.Server, guard *guard, lines *metrics.Lines) *standing {
	s := &standing{server: server, guard: guard, lines: lines, usage: usage.Open(), started: time.Now()}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		s.release = unix.ByteSliceToString(name.Release[:])
	}
	s.state.Store(stateStarting)
	s.confined.Store([]string(nil))
	s.serves.Store(&served{})
	return s
}

// close may be called again, and of none.
func (s *standing) close() {
	if s != nil {
		_ = s.usage.Close()
	}
}

// serve notes what is open from now on.
func (s *standing) serve(inbounds []inbound.Spec, installs bool) {
	now := &served{installs: installs}
	for _, in := range inbounds {
		open := api.Inbound{Tag: in.Tag, Type: in.Kind.String(), Listen: in.Listen.String()}
		if in.TCP {
			open.Network, now.tcp = append(open.Network, "tcp"), true
		}
		if in.UDP {
			open.Network, now.udp = append(open.Network, "udp"), true
		}
		if in.Kind == inbound.Direct {
			open.Destination = in.Dest.String()
		}
		now.inbounds = append(now.inbounds, open)
	}
	s.serves.Store(now)
}

// status is all that is known, but for flows.
func (s *standing) status() api.Status {
	status, _ := s.look(s.server.Stats(), s.server.Facts(), s.usage.Read())
	return status
}

// health says whether the process does its work, or besides whether there is room.
func (s *standing) health(ready bool) api.Health {
	if ready {
		return s.status().Health
	}
	facts := s.vital()
	return health.Live(&facts)
}

// vital are the facts that show whether sluice does its work.
func (s *standing) vital() (facts health.Facts) {
	facts.KeeperGone = s.guard != nil && s.guard.isGone()
	for _, t := range s.server.Turns() {
		facts.Beats = append(facts.Beats, t.Ago)
	}
	return facts
}

// readiness is what a sample tells of health.
func (s *standing) readiness() api.Health { return s.health(true) }

// taken is what the process has taken: CPU time, and bytes that are resident.
func (s *standing) taken() (cpu time.Duration, memory uint64) {
	use := s.usage.Read()
	return use.CPU, use.Memory
}

// snapshot is what Prometheus reads.
func (s *standing) snapshot() metrics.Snapshot {
	resources := s.server.Facts()
	snapshot := metrics.Snapshot{Counters: s.server.Stats(), Times: s.server.Times(), Lines: s.lines,
		PipesDenied: resources.PipesDenied, Usage: s.usage.Read()}
	status, facts := s.look(snapshot.Counters, resources, snapshot.Usage)
	snapshot.Status, snapshot.Ready, snapshot.Live = status, status.Health, health.Live(&facts)
	for _, t := range s.server.Turns() {
		snapshot.Reactors = append(snapshot.Reactors, metrics.Reactor(t))
	}
	if records := s.records.Load(); records != nil {
		snapshot.Records = (*records)()
	}
	return snapshot
}

// look is the status, and what its health was judged by.
func (s *standing) look(counters count.Stats, resources redir.Facts, use usage.Usage) (api.Status, health.Facts) {
	serves := s.serves.Load()
	limits := s.server.Limits()
	status := api.Status{
		Version: strings.TrimPrefix(version(), "sluice "), PID: unix.Getpid(), State: s.state.Load().(string), Started: s.started,
		Engine: resources.Engine.String(), Reactors: s.server.Reactors(),
		Connections: counters.ConnsNow(), Sessions: counters.FlowsNow(),
		BytesUp:   counters[count.TCPBytesToUpstream] + counters[count.UDPBytesToUpstream],
		BytesDown: counters[count.TCPBytesToClient] + counters[count.UDPBytesToClient],
		Refused:   sumOf(&counters, count.Refusal), Failed: sumOf(&counters, count.Failure), Dropped: sumOf(&counters, count.Drop),
		Inbounds: serves.inbounds, LogLevel: zerolog.GlobalLevel().String(), Confined: s.confined.Load().([]string),
		Limits: api.Limits{Connections: limits.Conns, Sessions: limits.Flows, SessionsBound: limits.FlowsBound, FDs: limits.FDs, Pipes: limits.Pipes},
		Use: api.Use{FDs: use.FDs, Pipes: resources.Pipes, Memory: use.Memory, CPU: use.CPU.Seconds(),
			Dialing: resources.Dialing, Stalled: resources.Stalled, MemoryShort: resources.MemoryShort},
		Kernel: api.Kernel{Release: s.release, GRO: resources.GRO, GSO: resources.GSO, PipeSize: resources.PipeSize},
	}
	for _, o := range s.server.Outbounds() {
		status.Outbounds = append(status.Outbounds, api.Outbound{Tag: o.Tag, Type: o.Kind, Up: o.Up})
	}
	if s.guard != nil {
		status.Rules = s.guard.rules()
	}
	facts := s.vital()
	facts.State, facts.TCP, facts.UDP = status.State, serves.tcp, serves.udp
	facts.Installs, facts.Rules = serves.installs, status.Rules
	facts.Connections, facts.Sessions, facts.Limits, facts.Use = status.Connections, status.Sessions, status.Limits, status.Use
	status.Health = health.Ready(&facts)
	return status, facts
}

// sumOf is the sum of the counters of a kind.
func sumOf(counters *count.Stats, kind count.Kind) (sum uint64) {
	for _, c := range count.All() {
		if c.Kind() == kind {
			sum += counters[c]
		}
	}
	return sum
}
