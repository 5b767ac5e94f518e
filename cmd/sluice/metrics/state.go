package metrics

import "runtime"

// states are the values of api.Status.State that there may be.
var states = []string{"starting", "serving", "draining", "handed-over"}

// state writes what sluice is, and how it stands.
func (p *page) state(s *Snapshot) {
	p.gauge("sluice_build_info", "What runs: always 1.").is(1,
		"version", s.Status.Version, "engine", s.Status.Engine, "go_version", runtime.Version())
	state := p.gauge("sluice_state", "1 for the state that sluice is in.")
	for _, name := range states {
		state.holds(s.Status.State == name, "state", name)
	}
	p.gauge("sluice_live", "Whether reactors turn, and the rules have a keeper, as /healthz says.").holds(s.Live.Well)
	p.gauge("sluice_ready", "Whether new traffic arrives and finds room, as /readyz says.").holds(s.Ready.Well)
	p.inbounds(s)
	p.rules(s)
	p.reactors(s)
}

func (p *page) inbounds(s *Snapshot) {
	info := p.gauge("sluice_inbound_info", "Inbounds that are open: always 1.")
	for _, in := range s.Status.Inbounds {
		info.is(1, "inbound", in.Tag, "type", in.Type, "listen", in.Listen)
	}
	up := p.gauge("sluice_outbound_up", "Whether an outbound's server was reached of late; of a group, that of a member.")
	for _, out := range s.Status.Outbounds {
		up.holds(out.Up, "outbound", out.Tag)
	}
}

// rules writes how those stand that divert traffic here. Whether rules have effect that
// others have installed is not known, which is no sample.
func (p *page) rules(s *Snapshot) {
	p.gauge("sluice_rules_installed", "Whether this sluice has rules installed that divert traffic to it.").holds(s.Status.Rules.Installed)
	effective := p.gauge("sluice_rules_effective", "Whether those rules have effect; absent where it has installed none.")
	if s.Status.Rules.Installed {
		effective.holds(s.Status.Rules.Effective)
	}
	p.gauge("sluice_rules_findings", "What there is to say of the rules, in lines (sluice status).").number(len(s.Status.Rules.Findings))
	p.gauge("sluice_rules_zones", "Zones of the connection tracker that the rules use.").number(len(s.Status.Rules.Zones))
}

// reactors writes how each turns.
func (p *page) reactors(s *Snapshot) {
	p.gauge("sluice_reactors", "Event loops that run.").number(s.Status.Reactors)
	turns := p.counter("sluice_reactor_turns_total", "Turns that a reactor has begun: times that it woke up.")
	for i, r := range s.Reactors {
		turns.is(r.Turns, "reactor", itoa(i))
	}
	ago := p.gauge("sluice_reactor_last_turn_seconds", "Time since a reactor's heartbeat, of which there is one a second.")
	for i, r := range s.Reactors {
		ago.seconds(r.Ago, "reactor", itoa(i))
	}
}
