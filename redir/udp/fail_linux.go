package udp

import (
	"time"

	"sluice/redir/count"
	"sluice/redir/greet"
	"sluice/redir/outbound"
)

const (
	// restFirst and restMost bound how long (ns) a session that gets no association
	// is left alone; it doubles.
	restFirst = int64(time.Second)
	restMost  = int64(30 * time.Second)
)

// brokeOff is when the server ended the connection before it answered.
func (a *association) brokeOff() {
	if a.state.IsTrial() {
		a.askAgain()
		return
	}
	a.next(count.FailedProxy, errEnded)
}

// next goes on with the next of the server's addresses, since this one could not be
// reached.
func (a *association) next(cause count.Counter, why error) {
	a.hangUp()
	dests := a.way.Out.Dests
	dests.Failed(a.server)
	if next, _, ok := dests.After(a.server, a.f.client().Addr(), false); ok {
		a.f.owner.counters.Add(count.DialsNext, 1)
		a.connect(next)
		return
	}
	a.unreached(cause, why)
}

// unreached gives the session to the fallback of its way, since the server could
// not be reached.
func (a *association) unreached(cause count.Counter, why error) {
	if cause != count.FailedNoResource {
		a.way.Out.Failed(a.f.owner.r.Now(), why)
	}
	a.tell(cause, why)
	if !a.fallBack() {
		a.rest()
	}
}

// refused is when the server gives no association. One that knows nothing of
// datagrams may have a fallback that does.
func (a *association) refused(failure greet.Failure) {
	cause := count.FailedProxy
	switch {
	case failure.Verdict == greet.Malformed && a.state.IsTrial():
		a.askAgain()
		return
	case failure.Verdict == greet.AuthFailed:
		cause = count.FailedProxyAuth
	}
	if failure.Verdict != greet.Malformed {
		a.way.Out.Reached(a.f.owner.r.Now())
	}
	if failure.IsUnknownFamily() && !a.plain && a.server.Addr().Is4() != a.f.client().Addr().Is4() {
		a.askPlainly()
		return
	}
	if failure.IsUnknownCommand() {
		a.hangUp()
		a.tell(cause, failure)
		if !a.fallBack() {
			a.rest()
		}
		return
	}
	a.fail(cause, failure)
}

// fail leaves a session without an association for a while.
func (a *association) fail(cause count.Counter, why error) {
	a.hangUp()
	a.tell(cause, why)
	a.rest()
}

// lost is when an association is over, since its connection has ended, or its relay
// is no more. One that has carried something is asked for again at once, when its
// client writes again: what remotes write would not come to it.
func (a *association) lost() {
	a.hangUp()
	if r := a.relay.Swap(nil); r != nil {
		r.retire(a.f.owner)
	}
	if a.heard {
		a.fails = 0
		return
	}
	a.rest()
}

// rest refuses what the session's client has written, and will for a while.
func (a *association) rest() {
	w := a.f.owner
	pause := min(restFirst<<min(a.fails, 8), restMost)
	a.fails++
	a.waits = false
	a.mu.Lock()
	a.rests, a.called = w.r.Now()+pause, false
	waiting := a.takeWaiting()
	a.mu.Unlock()
	for i := range waiting {
		w.refuseWaiting(&waiting[i])
	}
}

// fallBack ends the session and gives what its client has written to another, which
// takes the way's fallback; false where there is none that could be taken.
func (a *association) fallBack() bool {
	f := a.f
	w := f.owner
	if a.way.Fallback == nil {
		return false
	}
	way := w.usable(a.way.Fallback.Now())
	if way == nil || way.Out.Kind == outbound.HTTP {
		return false
	}
	a.mu.Lock()
	waiting := a.takeWaiting()
	a.mu.Unlock()
	if !w.shared.flows.Remove(f.entry) {
		return true
	}
	w.end(f.entry, count.Fallbacks)
	w.counters.Add(count.Fallbacks, 1)
	chosen := a.chosen
	chosen.way = way
	for i := range waiting {
		w.takeAgain(way.In, &waiting[i], chosen)
	}
	return true
}

// tell counts and logs why there is no association.
func (a *association) tell(cause count.Counter, why error) {
	w := a.f.owner
	w.counters.Add(cause, 1)
	if e := w.log.Warn(cause, w.r.Now()); e != nil {
		e.Str("outbound", a.way.Out.Tag).Stringer("server", a.way.Out.Server).Stringer("client", a.f.client()).
			Stringer("dest", a.first).Err(why).Msg("an outbound's server does not relay datagrams")
	}
}
