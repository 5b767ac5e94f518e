package main

import (
	"net"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"sluice/redir/count"
	"sluice/redir/doctor"
	"sluice/redir/firewall"
	"sluice/redir/rules"
)

// starvingPeriod is how often the counters are compared.
const starvingPeriod = time.Second

// starvation finds out that packets are diverted and arrive nowhere: another's
// rule, a lost mark or route lies between. It belongs to the keeper's
// goroutine.
type starvation struct {
	least    uint64        // diverted packets, fewer of which mean nothing
	patience time.Duration // how long they may be on their way

	isSet               bool
	diverted, delivered uint64 // when something last arrived
	since               time.Time
	hasWarned           bool
}

// starves takes the sums of a time, and tells whether it is time to warn: once,
// and again after something arrived.
func (s *starvation) starves(now time.Time, diverted, delivered uint64) bool {
	if !s.isSet || delivered != s.delivered || diverted < s.diverted {
		s.isSet, s.diverted, s.delivered, s.hasWarned = true, diverted, delivered, false
		s.since = time.Time{}
		return false
	}
	if diverted == s.diverted {
		return false
	}
	if s.since.IsZero() {
		s.since = now
	}
	if s.hasWarned || diverted-s.diverted < s.least || now.Sub(s.since) < s.patience {
		return false
	}
	s.hasWarned = true
	return true
}

// starving watches for a rule that stops everything, which is certain soon,
// for what stops everything otherwise, and for what stops TCP by itself: UDP
// that flows would hide that no connection comes about.
type starving struct{ byRule, all, tcp starvation }

func newStarving() *starving {
	return &starving{
		byRule: starvation{least: 3, patience: time.Second},
		all:    starvation{least: 3, patience: 5 * time.Second},
		tcp:    starvation{least: 5, patience: 10 * time.Second},
	}
}

// warns tells whether nothing that is diverted arrives, or no connection.
func (s *starving) warns() bool { return s.all.hasWarned || s.tcp.hasWarned }

// arrivals are what has reached sluice: connections, and datagrams.
func arrivals(stats count.Stats) (conns, datagrams uint64) {
	for i, n := range stats {
		switch name := count.Counter(i).String(); {
		case name == "conns_accepted", name == "accept_paused", name == "refused_scarce":
			conns += n
		case name == "datagrams_to_upstream", name == "udp_sessions_opened", name == "no_resource",
			strings.HasPrefix(name, "refused_"), strings.HasPrefix(name, "dropped_"):
			datagrams += n
		}
	}
	return conns, datagrams
}

// look compares what has arrived with the counters of the rules. What it takes
// to find the rule is not done on the caller's goroutine.
func (s *starving) look(now time.Time, conns, datagrams uint64, ifaces []string, log zerolog.Logger) {
	diverted, err := firewall.Counter(rules.TableName, "diverted")
	if err != nil {
		return // the rules are gone, which the diversion's goroutine says
	}
	byRule := s.byRule.starves(now, diverted, conns+datagrams)
	all := s.all.starves(now, diverted, conns+datagrams)
	tcp := s.tcp.starves(now, diverted-min(datagrams, diverted), conns)
	if byRule || tcp && !s.byRule.hasWarned {
		go warnOfRule(ifaces, log)
	} else if all {
		go warnOfOther(ifaces, log)
	}
}

// warnOfRule names a rule that stops packets for certain. Without one it is
// silent: a flood of SYNs comes to nothing as well.
func warnOfRule(ifaces []string, log zerolog.Logger) {
	for _, r := range doctor.Stopping(ifaces) {
		if r.Status == doctor.Fail {
			log.Warn().Str("likely", r.Detail).Str("remedy", r.Remedy).Msg("packets are diverted and do not arrive: a rule of others stops them")
			return
		}
	}
}

// warnOfOther says that nothing arrives where warnOfRule found no rule.
func warnOfOther(ifaces []string, log zerolog.Logger) {
	perhaps := ""
	for _, r := range doctor.Stopping(ifaces) {
		switch r.Status {
		case doctor.Fail:
			return
		case doctor.Warn:
			perhaps = r.Detail
		}
	}
	log.Warn().Str("perhaps", perhaps).Str("remedy", doctorCommand(ifaces)).Msg("packets are diverted and do not arrive")
}

func doctorCommand(ifaces []string) string {
	command := "sluice doctor"
	for _, name := range ifaces {
		command += " --iface " + name
	}
	return command
}

// logEgress says that the interface of --bind-iface is not there.
func (cmd *runCmd) logEgress(log zerolog.Logger) {
	if cmd.BindIface == "" {
		return
	}
	if _, err := net.InterfaceByName(cmd.BindIface); err != nil {
		log.Warn().Str("iface", cmd.BindIface).Err(err).Msg("until the interface of --bind-iface is there, every connection fails")
	}
}

// logIngress says where what --iface names can bring nothing.
func (cmd *runCmd) logIngress(log zerolog.Logger) {
	spec, err := cmd.diverts()
	if !cmd.InstallRules || err != nil || len(spec.Ingress()) == 0 {
		return
	}
	switch r := doctor.Ingress(spec.Ingress()); r.Status {
	case doctor.OK:
	case doctor.Note:
		log.Info().Str("detail", r.Detail).Msg("an interface that the rules divert from is not there yet")
	default:
		log.Warn().Str("detail", r.Detail).Str("remedy", r.Remedy).Msg("an interface that the rules divert from brings nothing to divert")
	}
}
