package redir

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"sluice/redir/inbound"
)

// errStopped answers a reload that came too late.
var errStopped = errors.New("the server has stopped")

// Reload makes o the server's options without touching running connections
// and sessions: inbounds that o does not name are closed, new ones opened, the
// rest left alone; limits, timeouts, the mark and AllowLocal hold for what
// comes. It changes everything or, with an error, nothing; only where the kernel
// has no memory to watch a new listener is that one missing afterwards.
func (s *Server) Reload(o Options) error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	if err := o.Validate(); err != nil {
		return err
	}
	if err := s.opts.sameFixed(&o); err != nil {
		return err
	}
	b, err := plan(&o, s.budget.fds, len(s.workers), s.lanes, localPorts())
	if err != nil && !s.budget.shrunk {
		return err
	} else if err != nil {
		b = shrink(&o, s.budget.fds, s.scarcity.held, len(s.workers), s.lanes)
	}
	if err := o.checkRights(); err != nil {
		return err
	}
	if err := o.findLoop(s.admission.IsOwn); err != nil {
		return err
	}
	defer s.keepNames()
	routes, err := s.openRoutes(&o)
	if err != nil {
		return err
	}
	diff := s.compareInbounds(&o)
	opened, err := s.openInbounds(diff.fresh, diff.gone, o.defaults())
	if err != nil {
		return err
	}
	for from, to := range diff.changed {
		if err := to.Open(len(s.workers), to.TCP && !from.TCP, to.UDP && !from.UDP, to.Returns && !from.Returns, diff.gone, nil); err != nil {
			closeInbounds(append(opened, diff.stay...))
			return err
		}
	}
	return s.use(o, b, routes, diff, opened)
}

// use has what comes from now on take o, for which all is open.
func (s *Server) use(o Options, b budget, routes routes, diff inboundDiff, opened []*inbound.Inbound) error {
	s.path.Store(&o.Path)
	s.resolver.Refresh()
	s.resolver.Await(resolvePatience)
	o.Log, o.Inherited = s.opts.Log, nil
	s.opts, s.budget = o, b
	s.inbounds = append(diff.stay, opened...)
	s.admission.SetListeners(o.Inbounds, o.Reserved...)
	s.admission.SetMarks(o.marks())
	s.share()
	s.clients.SetRates(o.rates(s.inbounds))
	s.watch.Refresh()
	s.useRoutes(routes, s.inbounds)
	s.watcher.Keep(routes.outs)
	err := s.onWorkers(context.Background(), func(w *worker) error {
		w.tcp.SetMaxPipes(b.pipes)
		w.tcp.Set(o.tcpSettings(s.router))
		w.udp.Set(o.udpSettings(s.router))
		for from, to := range diff.changed {
			w.relabel(from, to)
			w.detach(to, !to.TCP, !to.UDP, !to.Returns)
		}
		for _, in := range diff.gone {
			w.detach(in, true, true, true)
		}
		return w.attach(s.inbounds)
	})
	closeInbounds(s.inbounds) // what no worker has taken over, after an error
	return err
}

// sameFixed says which setting of o differs that a running server cannot
// change.
func (o *Options) sameFixed(to *Options) error {
	for _, f := range []struct {
		flag    string
		differs bool
	}{
		{"--reactors", o.Reactors != to.Reactors}, {"--engine", o.Engine != to.Engine}, {"--relay", o.Relay != to.Relay},
		{"--pipe-size", o.PipeSize != to.PipeSize}, {"--buffer-size", o.BufferSize != to.BufferSize},
		{"--batch", o.Batch != to.Batch}, {"--busy-poll", o.BusyPoll != to.BusyPoll},
		{"--stream-period", o.StreamPeriod != to.StreamPeriod},
	} {
		if f.differs {
			return fmt.Errorf("%s cannot change while sluice runs: restart it", f.flag)
		}
	}
	return nil
}

// inboundDiff is what a reload does to the open inbounds.
type inboundDiff struct {
	stay    []*inbound.Inbound                    // at their address
	changed map[*inbound.Inbound]*inbound.Inbound // those of stay with a new tag, timeout, network, path or destination: from, to
	gone    []*inbound.Inbound
	fresh   []inbound.Spec
}

func (s *Server) compareInbounds(o *Options) inboundDiff {
	diff := inboundDiff{changed: map[*inbound.Inbound]*inbound.Inbound{}, fresh: slices.Clone(o.Inbounds)}
	for _, in := range s.inbounds {
		i := slices.IndexFunc(diff.fresh, func(o inbound.Spec) bool { return o.Kind == in.Kind && o.Listen == in.Listen })
		if i < 0 {
			diff.gone = append(diff.gone, in)
			continue
		}
		to := inbound.New(diff.fresh[i], in.ID, o.defaults())
		to.Lanes, to.Foreign, to.Dests = in.Lanes, in.Foreign, in.Dests
		if !to.SameAs(in) {
			s.lead(to)
			diff.changed[in] = to
			in = to
		}
		diff.stay = append(diff.stay, in)
		diff.fresh = slices.Delete(diff.fresh, i, i+1)
	}
	return diff
}

// onWorkers runs f on each worker's thread and waits for all, or until ctx is
// done: a worker that is stuck runs it late or never.
func (s *Server) onWorkers(ctx context.Context, f func(w *worker) error) error {
	if !s.started {
		return errStopped
	}
	results := make(chan error, len(s.workers))
	for _, w := range s.workers {
		if !w.r.Post(func() { results <- f(w) }) {
			results <- errStopped
		}
	}
	var errs []error
	for range s.workers {
		select {
		case err := <-results:
			errs = append(errs, err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return errors.Join(errs...)
}
