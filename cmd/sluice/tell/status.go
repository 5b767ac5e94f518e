package tell

import (
	"fmt"
	"strings"
	"time"

	"sluice/cmd/sluice/api"
	"sluice/cmd/sluice/show"
)

// indent is where what is said of a subject begins.
const indent = 13

// Status is how sluice stands.
func Status(s *api.Status, now time.Time, width int) []string {
	p := paper{width: width}
	p.say("sluice", fmt.Sprintf("%s, %s for %s (process %d, %s, %s)", show.Text(s.Version), show.Text(s.State), show.Duration(now.Sub(s.Started)),
		s.PID, show.Text(s.Engine), counted(s.Reactors, "reactor")))
	if s.Health.Well {
		p.say("health", "well: ready for more")
	}
	for _, cause := range s.Health.Causes {
		p.say("health", "not well: "+show.Text(cause))
	}
	current := fmt.Sprintf("%d of %d connections, %d of %d UDP sessions", s.Connections, s.Limits.Connections, s.Sessions, s.Limits.Sessions)
	if s.Limits.SessionsBound != "" {
		current += " (" + show.Text(s.Limits.SessionsBound) + ")"
	}
	p.say("now", current)
	p.say("since start", fmt.Sprintf("%s up, %s down; %d refused, %d failed, %d dropped", show.Bytes(s.BytesUp), show.Bytes(s.BytesDown), s.Refused, s.Failed, s.Dropped))
	for _, in := range s.Inbounds {
		text := fmt.Sprintf("%s %s %s", show.Text(in.Type), show.Text(in.Listen), show.Text(strings.Join(in.Network, "+")))
		if in.Destination != "" {
			text += " to " + show.Text(in.Destination)
		}
		if in.Tag != in.Type+" "+in.Listen { // which is how those are called that have no name
			text = show.Text(in.Tag) + ": " + text
		}
		p.say("inbound", text)
	}
	for _, out := range s.Outbounds {
		text := fmt.Sprintf("%s: %s", show.Text(out.Tag), show.Text(out.Type))
		if !out.Up {
			text += ", its server is out of reach"
		}
		p.say("outbound", text)
	}
	p.say("rules", rules(&s.Rules))
	for _, finding := range s.Rules.Findings {
		p.say("", show.Text(finding))
	}
	p.resources(s)
	return p.lines
}

func (p *paper) resources(s *api.Status) {
	use := fmt.Sprintf("%s of memory, %s of CPU, %d of %d fds, %d of %d pipes; %d dialing, %d stalled", show.Bytes(s.Use.Memory),
		show.Duration(time.Duration(s.Use.CPU*float64(time.Second))), s.Use.FDs, s.Limits.FDs, s.Use.Pipes, s.Limits.Pipes, s.Use.Dialing, s.Use.Stalled)
	if s.Use.MemoryShort {
		use += "; memory is short"
	}
	p.say("in use", use)
	kernel := "Linux " + show.Text(s.Kernel.Release)
	for _, k := range []struct {
		name string
		has  bool
	}{{"GRO of UDP", s.Kernel.GRO}, {"GSO of UDP", s.Kernel.GSO}} {
		if !k.has {
			kernel += ", no"
		} else {
			kernel += ","
		}
		kernel += " " + k.name
	}
	if s.Kernel.PipeSize > 0 {
		kernel += fmt.Sprintf(", pipes of %d KiB", s.Kernel.PipeSize>>10)
	}
	p.say("kernel", kernel)
	p.say("log level", show.Text(s.LogLevel))
	if len(s.Confined) > 0 {
		p.say("confined", show.Text(strings.Join(s.Confined, ", ")))
	}
}

func rules(r *api.Rules) string {
	switch {
	case !r.Installed:
		return "none of its own"
	case r.Effective:
		return "installed, and in effect"
	}
	return "installed, and not in effect as they should be (sluice rules status)"
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// paper is lines under subjects, broken between words.
type paper struct {
	width   int
	subject string // of the last line
	lines   []string
}

// say adds a line. A subject stands where it begins.
func (p *paper) say(subject, text string) {
	if subject == p.subject {
		subject = ""
	} else if subject != "" {
		p.subject = subject
	}
	line := subject + strings.Repeat(" ", max(1, indent-len(subject)))
	begun := false
	for word := range strings.FieldsSeq(text) {
		if begun && p.width > 0 && len(line)+1+len(word) > p.width {
			p.lines = append(p.lines, line)
			line, begun = strings.Repeat(" ", indent), false
		}
		if begun {
			line += " "
		}
		line, begun = line+word, true
	}
	p.lines = append(p.lines, line)
}
