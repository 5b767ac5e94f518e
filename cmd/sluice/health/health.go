package health

import (
	"fmt"
	"strings"
	"time"

	"sluice/cmd/sluice/api"
)

// Facts are what is judged.
type Facts struct {
	State      string          // api.Status.State
	Beats      []time.Duration // how long ago each reactor's heartbeat was, of which there is one a second
	KeeperGone bool            // the keeper of the rules has ended

	Installs bool // this sluice is to install rules
	Rules    api.Rules

	TCP, UDP    bool // what inbounds are for
	Connections uint64
	Sessions    uint64
	Limits      api.Limits
	Use         api.Use
}

const (
	// beatPatience is the age of a heartbeat at which a reactor counts as stuck. A
	// turn takes below a millisecond; a machine that is paused or swaps, longer.
	beatPatience = 3 * time.Second
	// spareFDs are how many fds should be left: an accepted connection takes two, and
	// the process itself some.
	spareFDs = 8
	// serving is the state of who serves.
	serving = "serving"
)

// Live says whether what runs does its work.
func Live(f *Facts) api.Health { return judged(f.stuck()) }

// Ready says besides whether new traffic arrives, and finds room.
func Ready(f *Facts) api.Health {
	return judged(append(append(append(f.stuck(), f.notServing()...), f.rules()...), f.full()...))
}

func judged(causes []string) api.Health {
	return api.Health{Well: len(causes) == 0, Causes: causes}
}

// stuck names reactors that turn no more, and a keeper that is gone.
func (f *Facts) stuck() (causes []string) {
	for i, ago := range f.Beats {
		if ago > beatPatience {
			causes = append(causes, fmt.Sprintf("reactor %d of %d has not turned for %v: what it carries hangs; restart sluice",
				i, len(f.Beats), ago.Round(100*time.Millisecond)))
		}
	}
	if f.KeeperGone {
		causes = append(causes, "the keeper of the rules has ended: nobody watches over them; restart sluice")
	}
	return causes
}

func (f *Facts) notServing() []string {
	switch f.State {
	case serving:
		return nil
	case "draining":
		return []string{"it is told to end, and lets connections finish"}
	case "handed-over":
		return []string{"another sluice has taken over; this one lets connections finish"}
	}
	return []string{"it is not serving yet (" + f.State + ")"}
}

// rules judges those of this sluice.
func (f *Facts) rules() []string {
	if !f.Installs || f.KeeperGone || f.State != serving || f.Rules.Effective {
		return nil
	}
	cause := "the rules that divert traffic here are not installed"
	if f.Rules.Installed {
		cause = "the rules that divert traffic here have no effect"
	}
	if len(f.Rules.Findings) > 0 {
		cause += ": " + strings.Join(f.Rules.Findings, "; ")
	}
	return []string{cause + " (sluice rules status, sluice doctor)"}
}

// full names what there is no room for.
func (f *Facts) full() (causes []string) {
	if f.TCP && f.Connections >= uint64(max(0, f.Limits.Connections)) {
		causes = append(causes, fmt.Sprintf("there are %d connections, and may be %d: raise --max-conns or the fd limit (LimitNOFILE=)",
			f.Connections, f.Limits.Connections))
	}
	if f.UDP && f.Sessions >= uint64(max(0, f.Limits.Sessions)) {
		causes = append(causes, fmt.Sprintf("there are %d UDP sessions, and may be %d: the oldest give way to new ones; raise %s",
			f.Sessions, f.Limits.Sessions, boundRemedy(f.Limits.SessionsBound)))
	}
	if f.Limits.FDs > 0 && f.Use.FDs > f.Limits.FDs-spareFDs {
		causes = append(causes, fmt.Sprintf("%d of %d fds are in use: raise the fd limit (LimitNOFILE=)", f.Use.FDs, f.Limits.FDs))
	}
	if f.Use.MemoryShort {
		causes = append(causes, "memory is short: new connections and sessions wait, or are refused, until it is not")
	}
	return causes
}

// boundRemedy is what to raise, where the bound of sessions is that.
func boundRemedy(bound string) string {
	switch bound {
	case "fd_limit":
		return "the fd limit (LimitNOFILE=)"
	case "ip_local_port_range":
		return "net.ipv4.ip_local_port_range"
	}
	return "--udp-sessions"
}
