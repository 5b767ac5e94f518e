package main

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"sluice/redir/rules"
)

// diversion is the rules of --install-rules: in place, and watched by a
// goroutine of its own, until close. It belongs to the keeper.
type diversion struct {
	installed *rules.Installed
	stop      context.CancelFunc
	done      chan struct{}
}

var errNoMark = errors.New("--output needs a --mark other than 0: without, sluice would divert its own traffic to itself")

// validate finds fault with what is in effect, before anything is opened.
func (cmd *runCmd) validate() error {
	if err := cmd.validateRoutes(); err != nil {
		return err
	}
	if err := cmd.validateControl(); err != nil {
		return err
	}
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

// lockPatience is how long the rules of another may take to be given up: the
// keeper of a sluice that was killed needs a moment to hear of it.
const lockPatience = time.Second

// divert installs the rules, in the name of a process, and watches over them.
func divert(spec rules.Spec, pid int, log zerolog.Logger) (*diversion, error) {
	installed, err := rules.InstallFor(pid, spec)
	for began := time.Now(); errors.As(err, new(*rules.LivingError)) && time.Since(began) < lockPatience; {
		time.Sleep(lockPatience / 50)
		installed, err = rules.InstallFor(pid, spec)
	}
	if err != nil {
		return nil, err
	}
	d := &diversion{installed: installed}
	d.logUnmet(log)
	if why := installed.Unowned(); why != "" {
		log.Warn().Msg(why)
	}
	logNotices(spec, log)
	d.watch(log)
	return d, nil
}

// watch has a goroutine watch over the rules, until stop.
func (d *diversion) watch(log zerolog.Logger) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	d.stop, d.done = stop, done
	go func() {
		defer close(done)
		err := d.installed.Watch(ctx, func(r rules.Repair, err error) { logRepair(log, r, err) })
		if err != nil {
			log.Error().Err(err).Msg("the rules are no longer watched")
		}
	}()
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

// hold keeps the rules of a sluice that is dead.
func (d *diversion) hold(ctx context.Context) error {
	err := d.installed.Hold(ctx)
	d.stop()
	<-d.done
	return err
}

// leave lets go of the rules, which stay in force for another process. After an
// error, they are watched as before.
func (d *diversion) leave(log zerolog.Logger) error {
	d.stop()
	<-d.done
	err := d.installed.Leave()
	if err != nil {
		d.watch(log)
	}
	return err
}

// close takes the rules away.
func (d *diversion) close() error {
	d.stop()
	<-d.done
	return d.installed.Close()
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
