package main

import (
	"errors"
	"os"
	"sync"
	"time"

	"sluice/cmd/sluice/handover"
	"sluice/cmd/sluice/service"
)

// changing is held by whoever changes what the process serves: a reload, or a
// hand-over, each on a goroutine of its own.
type changing struct{ sync.Mutex }

// lockSoon is Lock for who must not wait for long. It reports whether it came
// about.
func (c *changing) lockSoon(within time.Duration) bool {
	for deadline := time.Now().Add(within); !c.TryLock(); {
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(5 * time.Millisecond)
	}
	return true
}

// places are where successors look for this process.
func (cmd *runCmd) places() (places []string) {
	for _, in := range cmd.inbounds() {
		if in.TCP {
			places = append(places, "tcp-"+in.Listen.String())
		}
		if in.UDP {
			places = append(places, "udp-"+in.Listen.String())
		}
	}
	return places
}

// follow finds the sluice that listens at the same places, and takes its listeners;
// nil where there is none.
func (p *process) follow(account service.Account) (*handover.Incumbent, []int, error) {
	if p.cmd.Takeover == takeoverOff {
		return nil, nil, nil
	}
	trusted := []int{os.Geteuid()}
	if p.cmd.User != "" {
		trusted = append(trusted, account.UID())
	}
	incumbent, err := handover.Find(p.cmd.places(), trusted...)
	if errors.As(err, new(*handover.StrangerError)) {
		p.log.Warn().Err(err).Msg("whether that is a sluice which can be taken over from is not asked: it would have to run as this user, or as that of --user")
	} else if err != nil {
		return nil, nil, err
	}
	fds, err := incumbent.Take(handover.Peer{Release: version(), Rules: p.cmd.InstallRules, Manager: os.Getenv("NOTIFY_SOCKET")})
	if err != nil {
		incumbent.Close()
		return nil, nil, err
	}
	return incumbent, fds, nil
}

// begin serves. Where there is an incumbent, it goes on until this process does,
// and for good if that comes to nothing.
func (p *process) begin(incumbent *handover.Incumbent) error {
	if err := incumbent.Serving(); err != nil {
		return err
	}
	if incumbent.IsGone() {
		p.server.Start()
		return p.divert()
	}
	if err := p.divert(); err != nil {
		return err
	}
	p.server.Start()
	err := incumbent.Ready()
	if errors.As(err, new(*handover.SilentError)) {
		p.log.Error().Err(err).Msg("it was told to yield, and does not answer; both serve until it does")
	} else if err != nil {
		if p.guard != nil { // they are the incumbent's again
			err = errors.Join(err, p.guard.leave())
		}
		return err
	}
	p.log.Info().Stringer("incumbent", incumbent.Peer()).Str("release", incumbent.Peer().Release).Msg("took over")
	return nil
}

// divert has the keeper install the rules.
func (p *process) divert() error {
	if p.guard == nil {
		return nil
	}
	return p.guard.redivert(p.cmd)
}

// openDoor lets a later sluice find this one.
func (p *process) openDoor(inherited []int) {
	if p.cmd.Takeover == takeoverOff {
		return
	}
	p.door = handover.NewDoor(version(), p.greet)
	p.keepDoor(inherited)
}

func (p *process) keepDoor(inherited []int) {
	if p.door == nil {
		return
	}
	if err := p.door.Keep(p.cmd.places(), inherited); err != nil {
		p.log.Warn().Err(err).Msg("no other sluice will find this one there, to take over from it")
	}
}

// closeDoor ends a hand-over that is under way.
func (p *process) closeDoor() {
	if p.door != nil {
		p.ending.Store(true)
		p.door.Close()
	}
}

// greet hands over to a successor, on a goroutine of the door's.
func (p *process) greet(s *handover.Successor) {
	if !p.changing.lockSoon(reloadPatience) {
		p.log.Error().Stringer("successor", s.Peer()).Msg("no hand-over: a reload hangs")
		return
	}
	defer p.changing.Unlock()
	p.log.Info().Stringer("successor", s.Peer()).Str("release", s.Peer().Release).Msg("handing over")
	if err := s.HandOver(giver{p}); err != nil {
		p.log.Warn().Stringer("successor", s.Peer()).Err(err).Msg("the hand-over came to nothing; this sluice goes on")
		return
	}
	p.hasYielded = true
	p.standing.state.Store(stateHandedOver)
	p.followed <- s.Peer()
}

// tellFollowed says who serves from now on. Where one service manager looks
// after both, the successor is its main process, and this one's end not the
// service's.
func (p *process) tellFollowed(successor handover.Peer) {
	line := p.log.Info().Stringer("successor", successor).Str("release", successor.Release)
	if p.guard != nil && p.guard.hasRules() {
		line.Str("rules", "of this sluice: they go with it, since the successor installs none")
	}
	line.Msg("handed over; draining")
	if successor.Manager != "" && successor.Manager == os.Getenv("NOTIFY_SOCKET") {
		p.notify.Follow(successor.PID)
	} else {
		p.notify.Stopping("handed over; draining")
	}
}
