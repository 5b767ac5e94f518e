package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/rs/zerolog"

	"sluice/redir/inbound"
	"sluice/redir/rules"
)

// diversion is the rules of --install-rules: in place, and watched by a
// goroutine of its own, until close.
type diversion struct {
	installed *rules.Installed
	stop      context.CancelFunc
	done      chan struct{}
}

var errNoMark = errors.New("--output needs a --mark other than 0: without, sluice would divert its own traffic to itself")

// spec is what the rule flags come to, for the ports of the inbounds.
func (cmd *runCmd) spec() (rules.Spec, error) {
	kind := inbound.TProxy
	if cmd.Rules.Via == string(rules.Redirect) {
		kind = inbound.Redirect
	}
	var tcp, udp uint16
	for _, in := range cmd.inbounds() {
		if in.Kind == kind && in.Listen.Addr() != netip.IPv6Unspecified() && (in.TCP && tcp == 0 || in.UDP && udp == 0) {
			return rules.Spec{}, fmt.Errorf("--install-rules: %s %s does not listen on every address of both families, where the rules divert to: use --%[1]s :%[3]d",
				in.Kind, in.Listen, in.Listen.Port())
		}
		if in.Kind == kind && in.TCP && tcp == 0 {
			tcp = in.Listen.Port()
		}
		if in.Kind == kind && in.UDP && udp == 0 {
			udp = in.Listen.Port()
		}
	}
	if tcp == 0 && udp == 0 {
		return rules.Spec{}, fmt.Errorf("--install-rules --via %s needs an inbound of that kind, as --%[1]s :12345", kind)
	}
	if cmd.Rules.Output && cmd.Mark == 0 {
		return rules.Spec{}, errNoMark
	}
	return cmd.Rules.Spec(tcp, udp, cmd.Mark), nil
}

// validate finds fault with what is in effect, before anything is opened.
func (cmd *runCmd) validate() error {
	options := cmd.options(zerolog.Nop())
	if err := options.Validate(); err != nil || !cmd.InstallRules {
		return err
	}
	spec, err := cmd.spec()
	if err == nil {
		_, err = rules.NewPlan(spec)
	}
	return err
}

// divert installs the rules and watches over them.
func divert(spec rules.Spec, log zerolog.Logger) (*diversion, error) {
	installed, err := rules.Install(spec)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	d := &diversion{installed, stop, make(chan struct{})}
	d.logUnmet(log)
	logNotices(spec, log)
	go func() {
		defer close(d.done)
		err := installed.Watch(ctx, func(r rules.Repair, err error) { logRepair(log, r, err) })
		if err != nil {
			log.Error().Err(err).Msg("the rules are no longer watched")
		}
	}()
	return d, nil
}

// logRepair names what was amiss and who stands in the place.
func logRepair(log zerolog.Logger, r rules.Repair, err error) {
	line, message := log.Warn(), "rules were taken away, and are put back"
	switch {
	case errors.As(err, new(*rules.InsistingError)):
		line, message = log.Error().Err(err), "somebody fights the rules"
	case err != nil && len(r.Missing) == 0:
		line, message = log.Error().Err(err), "the rules are there, but diverted packets do not arrive"
	case err != nil:
		line, message = log.Error().Err(err), "rules are gone and cannot be put back"
	case len(r.By) > 0:
		message = "others took the place of rules, which are put back"
	}
	if len(r.Missing) > 0 {
		line = line.Str("missing", strings.Join(r.Missing, ", "))
	}
	if len(r.By) > 0 {
		line = line.Str("by", strings.Join(r.By, "; "))
	}
	line.Msg(message)
}

func (d *diversion) logUnmet(log zerolog.Logger) {
	for _, s := range d.installed.Unmet() {
		log.Warn().Str("command", s.Command()).Str("to_stay", s.Persistent()).Str("why", s.Why).Msg("a sysctl should change; --sysctl would do it")
	}
}

// logNotices names what else an operator should know of the rules; that the
// routing is at fault, the watcher says.
func logNotices(spec rules.Spec, log zerolog.Logger) {
	status, err := rules.ReadStatus()
	if err != nil {
		log.Warn().Err(err).Msg("the rules cannot be looked at")
		return
	}
	status.Faults = nil
	for _, line := range notices(spec, status) {
		log.Warn().Msg(line)
	}
}

// leave lets go of the rules, which stay in force for another process.
func (d *diversion) leave() error {
	d.stop()
	<-d.done
	return d.installed.Leave()
}

// close takes the rules away.
func (d *diversion) close() error {
	d.stop()
	<-d.done
	return d.installed.Close()
}

// redivert brings the rules in line with next: installs, changes or removes
// them. When it fails, they are as before.
func (p *process) redivert(next *runCmd) error {
	if !next.InstallRules {
		if p.diversion == nil {
			return nil
		}
		gone := p.diversion
		p.diversion = nil
		return gone.close()
	}
	spec, err := next.spec()
	if err != nil {
		return err
	}
	if p.diversion == nil {
		p.diversion, err = divert(spec, p.log)
		return err
	}
	if err := p.diversion.installed.Replace(spec); err != nil {
		return err
	}
	p.diversion.logUnmet(p.log)
	logNotices(spec, p.log)
	return nil
}

// open lets new connections pass, if they shall while nobody listens and
// nothing else lets them: a nat chain sees only new ones, so leaving out every
// destination does not touch those that run.
func (d *diversion) open(cmd *runCmd) error {
	if cmd.Rules.Via != string(rules.Redirect) || cmd.Rules.Fail != string(rules.Open) {
		return nil
	}
	spec, err := cmd.spec()
	if err != nil {
		return err
	}
	spec.Include, spec.Exclude = nil, []netip.Prefix{
		netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0),
	}
	return d.installed.Replace(spec)
}
