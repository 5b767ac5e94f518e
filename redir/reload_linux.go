package redir

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// errStopped answers a reload that came too late.
var errStopped = errors.New("the server has stopped")

// Reload makes o the server's options without touching running connections
// and sessions: inbounds that o does not name are closed, new ones opened, the
// rest left alone; limits, timeouts, the mark and AllowLocal hold for what
// comes. It changes everything or, with an error, nothing. Inbounds are the
// same when all their fields are.
func (s *Server) Reload(o Options) error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	if err := o.Validate(); err != nil {
		return err
	}
	if err := s.opts.sameFixed(&o); err != nil {
		return err
	}
	b, err := plan(&o, s.budget.fds, len(s.workers))
	if err != nil {
		return err
	}
	if err := checkMark(o.Mark); err != nil {
		return err
	}
	stay, gone, fresh := s.compareInbounds(o)
	before := s.opts.UDPTimeout
	s.opts.UDPTimeout = o.UDPTimeout
	opened, err := s.openInbounds(fresh)
	if err != nil {
		s.opts.UDPTimeout = before
		return err
	}
	o.Log = s.opts.Log
	s.opts, s.budget = o, b
	s.inbounds = append(stay, opened...)
	s.admission.setListeners(o.Inbounds)
	s.share()
	return s.onWorkers(func(w *worker, index int) error {
		w.set = o.settings()
		for _, in := range gone {
			w.detach(in)
		}
		return w.attach(opened, index)
	})
}

// sameFixed says which setting of o differs that a running server cannot
// change.
func (o *Options) sameFixed(to *Options) error {
	for _, f := range []struct {
		flag    string
		differs bool
	}{
		{"--reactors", o.Reactors != to.Reactors}, {"--relay", o.Relay != to.Relay},
		{"--pipe-size", o.PipeSize != to.PipeSize}, {"--buffer-size", o.BufferSize != to.BufferSize},
		{"--batch", o.Batch != to.Batch},
	} {
		if f.differs {
			return fmt.Errorf("%s cannot change while sluice runs: restart it", f.flag)
		}
	}
	return nil
}

// compareInbounds sorts the open inbounds and those of o into what stays, what
// goes and what is new. A UDP timeout that comes from Options counts as the
// inbound's own.
func (s *Server) compareInbounds(o Options) (stay, gone []*inbound, fresh []Inbound) {
	fresh = slices.Clone(o.Inbounds)
	for _, in := range s.inbounds {
		i := slices.IndexFunc(fresh, func(f Inbound) bool {
			timeout := f.UDPTimeout
			if timeout == 0 {
				timeout = o.UDPTimeout
			}
			f.UDPTimeout = in.UDPTimeout
			return f == in.Inbound && timeout == time.Duration(in.udpTimeout)
		})
		if i < 0 {
			gone = append(gone, in)
			continue
		}
		stay = append(stay, in)
		fresh = slices.Delete(fresh, i, i+1)
	}
	return stay, gone, fresh
}

// onWorkers runs f on each worker's thread and waits for all.
func (s *Server) onWorkers(f func(w *worker, index int) error) error {
	if !s.started {
		return errStopped
	}
	results := make(chan error, len(s.workers))
	for i, w := range s.workers {
		if !w.r.Post(func() { results <- f(w, i) }) {
			results <- errStopped
		}
	}
	var errs []error
	for range s.workers {
		errs = append(errs, <-results)
	}
	return errors.Join(errs...)
}
