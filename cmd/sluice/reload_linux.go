package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"github.com/alecthomas/kong"

	"sluice/cmd/sluice/logging"
	"sluice/redir/inbound"
)

// reloads runs one reload at a time, beside the process' goroutine, to which it
// belongs.
type reloads struct {
	running chan struct{} // closed when the one that runs has ended; nil: none
	again   bool          // another one was asked for meanwhile
}

// reloadPatience is how long the end waits for a reload that is under way.
const reloadPatience = 5 * time.Second

func (r *reloads) ask(reload func()) {
	if r.again = r.running != nil; r.again {
		return
	}
	done := make(chan struct{})
	r.running = done
	go func() {
		reload()
		close(done)
	}()
}

func (r *reloads) ended(reload func()) {
	if r.running = nil; r.again {
		r.ask(reload)
	}
}

func (r *reloads) wait() {
	if r.running == nil {
		return
	}
	select {
	case <-r.running:
	case <-time.After(reloadPatience):
	}
}

var (
	errNothingToReread = errors.New("there is no configuration file to reread")
	errFollowed        = errors.New("another sluice has taken over; send it to that one")
)

// reload does what SIGHUP asks for.
func (p *process) reload() {
	if _, err := p.reloadNow(); errors.Is(err, errNothingToReread) || errors.Is(err, errFollowed) {
		p.log.Warn().Msg("SIGHUP: " + err.Error())
	}
}

// reloadNow opens the access log anew, and rereads the file, with the same flags and
// environment before it, and changes what is different: everything or nothing. It
// returns what has changed. Any goroutine may call it.
func (p *process) reloadNow() ([]string, error) {
	p.changing.Lock()
	defer p.changing.Unlock()
	hasFile := p.ledgers.reopen(p.log)
	if !p.cmd.hasFiles() {
		if hasFile {
			return nil, nil
		}
		return nil, errNothingToReread
	}
	if p.hasYielded {
		return nil, errFollowed
	}
	p.notify.Reloading()
	changes, err := p.reread()
	err = p.reader.explain(err)
	p.refused = ""
	switch {
	case err != nil:
		p.log.Error().Err(err).Msg("reload refused, nothing changed")
		p.refused = err.Error()
	case len(changes) == 0:
		p.log.Info().Msg("reloaded, no setting is different")
	default:
		p.log.Info().Strs("changes", changes).Msg("reloaded")
	}
	p.notify.Ready(p.status())
	debug.FreeOSMemory() // what parsing took
	return changes, err
}

var errNoKeeper = errors.New("--install-rules cannot be turned on while sluice runs, which has given up what rules take: restart it")

// hasFiles tells whether there are files to reread, which may have come only now.
func (cmd *runCmd) hasFiles() bool {
	paths, err := cmd.finder.find(cmd.Config)
	return err != nil || len(paths) > 0 || len(cmd.files) > 0
}

// reread returns what changed.
func (p *process) reread() (changes []string, err error) {
	ctx, err := parse(os.Args[1:], withVariables(), kong.Bind(p.cmd.finder))
	if err != nil {
		return nil, err
	}
	next := runOf(ctx)
	for _, f := range []struct {
		flag    string
		differs bool
	}{
		{"--user", next.User != p.cmd.User}, {"--log-format", next.LogFormat != p.cmd.LogFormat},
		{"--confine", next.Confine != p.cmd.Confine},
		{"--takeover", next.Takeover != p.cmd.Takeover},
		{"--access-log", next.AccessLog != p.cmd.AccessLog},
		{"--ipfix", next.IPFIX != p.cmd.IPFIX},
		{"--control", next.Control != p.cmd.Control}, {"--control-token-file", next.ControlTokenFile != p.cmd.ControlTokenFile},
	} {
		if f.differs {
			return nil, fmt.Errorf("%s cannot change while sluice runs: restart it", f.flag)
		}
	}
	if next.InstallRules && p.guard == nil {
		return nil, errNoKeeper
	}
	if err := next.validateRun(); err != nil {
		return nil, err
	}
	// What the old rules lead to stays open until the new ones are in place:
	// otherwise new flows would find nobody in between.
	both := next.options(p.log)
	both.Inbounds = withThoseOf(both.Inbounds, p.cmd.inbounds())
	if err := p.server.Reload(both); err != nil {
		return nil, err
	}
	if p.guard != nil {
		if err := p.guard.redivert(next); err != nil {
			return nil, errors.Join(err, p.server.Reload(p.cmd.options(p.log)))
		}
	}
	if err := p.server.Reload(next.options(p.log)); err != nil {
		return nil, err
	}
	if err := logging.SetLevel(next.LogLevel); err != nil {
		return nil, err
	}
	if idle := next.idleRuleFlags(ctx); !slices.Equal(idle, p.idleRules) {
		p.idleRules = idle
		p.logIdleRules(idle)
	}
	config := next.config(ctx)
	changes = p.config.Changes(config)
	p.ledgers.reload(next)
	p.cmd, p.config = next, config
	p.inEffect.Store(&effect{config, next.DrainTimeout})
	p.standing.serve(config.Inbounds, next.InstallRules)
	p.keepDoor(nil)
	return changes, nil
}

// withThoseOf are the inbounds, and those of before on ports that none of them
// takes over.
func withThoseOf(inbounds, before []inbound.Spec) []inbound.Spec {
	all := slices.Clone(inbounds)
	for _, old := range before {
		if !slices.ContainsFunc(inbounds, func(in inbound.Spec) bool { return in.Listen.Port() == old.Listen.Port() }) {
			all = append(all, old)
		}
	}
	return all
}
