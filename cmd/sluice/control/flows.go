package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"

	"sluice/cmd/sluice/api"
	"sluice/cmd/sluice/view"
	"sluice/redir/record"
)

// Flows of a page.
const (
	pageLimit = 100
	// mostPageLimit bounds the flows that are kept while others pass, some 400 bytes
	// each.
	mostPageLimit = 10_000
	// mostFilled is how many flows are asked for one by one, in full, after a brief scan,
	// which takes reactors a quarter of the time of a full one.
	mostFilled = 200
)

// query reads parameters, or answers what is amiss with them.
func (s *Server) query(w http.ResponseWriter, v url.Values, mostLimit int) (q api.Query, f *view.Filter, ok bool) {
	q, err := api.ParseQuery(v)
	if err == nil {
		f, err = view.NewFilter(q)
	}
	if err == nil && q.Limit > mostLimit {
		err = fmt.Errorf("limit: %d: want at most %d", q.Limit, mostLimit)
	}
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
	}
	return q, f, err == nil
}

// flag takes a parameter that is true or false out of v.
func flag(v url.Values, name string) (bool, error) {
	text := v.Get(name)
	given := v.Has(name)
	v.Del(name)
	if text == "" {
		return given, nil
	}
	is, err := strconv.ParseBool(text)
	if err != nil {
		return false, fmt.Errorf("%s: %q: want true or false", name, text)
	}
	return is, nil
}

func (s *Server) flows(w http.ResponseWriter, r *http.Request) {
	v := r.URL.Query()
	lines, err := flag(v, "lines")
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	q, f, ok := s.query(w, v, mostPageLimit)
	if !ok {
		return
	}
	if lines {
		s.lines(w, r, q, f)
		return
	}
	q.Limit = cmp.Or(q.Limit, pageLimit)
	if f.WantsRate() {
		page, err := s.config.Watch.Rates(r.Context(), q)
		s.tell(w, page, err)
		return
	}
	best, detail := view.NewBest(f, q.Limit), record.Full
	if !f.WantsDest() && q.Limit <= mostFilled {
		detail = record.Brief
	}
	err = s.scan(r.Context(), s.scans, detail, func(records []record.Record, now int64) bool {
		for i := range records {
			best.Add(&records[i], now, -1, -1)
		}
		return true
	})
	if detail == record.Brief && err == nil {
		best.Fill(func(id record.ID) (record.Record, error) { return s.config.Flows.Flow(r.Context(), id) })
	}
	s.tell(w, best.Page(s.config.Flows.Wall), err)
}

// tell answers with body, or says why that is not known.
func (s *Server) tell(w http.ResponseWriter, body any, err error) {
	if err != nil {
		fail(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	answer(w, body)
}

// scan calls visit with all flows, until it returns false. One scan of a kind goes on
// at a time.
func (s *Server) scan(ctx context.Context, kind chan struct{}, detail record.Detail, visit func(records []record.Record, now int64) bool) error {
	select {
	case kind <- struct{}{}:
		defer func() { <-kind }()
	case <-ctx.Done():
		return ctx.Err()
	}
	now := s.config.Flows.Now()
	return s.config.Flows.Flows(ctx, detail, func(records []record.Record) bool {
		return visit(records, now) && ctx.Err() == nil
	})
}

// endFlows ends those that match; with a limit, the first in the query's order.
func (s *Server) endFlows(w http.ResponseWriter, r *http.Request) {
	v := r.URL.Query()
	all, err := flag(v, "all")
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	q, f, ok := s.query(w, v, mostPageLimit)
	switch {
	case !ok:
		return
	case f.All() && !all:
		fail(w, http.StatusBadRequest, "all: which flows? Want filters, as client=10.0.0.7, or all=true")
		return
	case !f.All() && all:
		fail(w, http.StatusBadRequest, "all: true: want it without filters")
		return
	}
	ids, err := s.meant(r.Context(), q, f)
	if err != nil {
		s.tell(w, nil, err)
		return
	}
	ended, err := s.config.Flows.Kill(r.Context(), ids)
	if err != nil && ended > 0 {
		err = fmt.Errorf("%d flows were ended, and not all: %w", ended, err)
	}
	if ended > 0 {
		s.config.Log.Info().Int("flows", ended).Str("filter", q.Values().Encode()).Msg("ended, as the control socket was told")
	}
	s.tell(w, api.Ended{Ended: ended}, err)
}

// meant are the IDs of the flows of a query.
func (s *Server) meant(ctx context.Context, q api.Query, f *view.Filter) (ids []record.ID, err error) {
	if f.WantsRate() {
		return s.meantByRate(ctx, q)
	}
	var best *view.Best
	if q.Limit > 0 {
		best = view.NewBest(f, q.Limit)
	}
	detail := record.Brief
	if f.WantsDest() {
		detail = record.Full
	}
	err = s.scan(ctx, s.scans, detail, func(records []record.Record, now int64) bool {
		for i := range records {
			switch {
			case best != nil:
				best.Add(&records[i], now, -1, -1)
			case f.Matches(&records[i], now, -1):
				ids = append(ids, records[i].ID)
			}
		}
		return true
	})
	if best != nil {
		ids = best.IDs()
	}
	return ids, err
}

// meantByRate are the same, page by page.
func (s *Server) meantByRate(ctx context.Context, q api.Query) (ids []record.ID, err error) {
	limit := cmp.Or(q.Limit, math.MaxInt)
	for len(ids) < limit {
		q.Limit = min(mostPageLimit, limit-len(ids))
		page, err := s.config.Watch.Rates(ctx, q)
		for i := range page.Flows {
			id, parseErr := record.ParseID(page.Flows[i].ID)
			ids, err = append(ids, id), errors.Join(err, parseErr)
		}
		if q.After = page.Next; q.After == "" || err != nil {
			return ids, err
		}
	}
	return ids, nil
}

// one reads the ID of a path, or answers what is amiss with it.
func one(w http.ResponseWriter, r *http.Request) (record.ID, bool) {
	id, err := record.ParseID(r.PathValue("id"))
	if err != nil {
		fail(w, http.StatusBadRequest, "id: "+err.Error())
	}
	return id, err == nil
}

func (s *Server) flow(w http.ResponseWriter, r *http.Request) {
	id, ok := one(w, r)
	if !ok {
		return
	}
	found, err := s.config.Flows.Flow(r.Context(), id)
	if errors.Is(err, s.config.NoFlow) {
		gone(w, id)
		return
	}
	s.tell(w, view.Flow(&found, s.config.Flows.Wall), err)
}

func gone(w http.ResponseWriter, id record.ID) {
	fail(w, http.StatusNotFound, id.String()+": there is no such flow: it has ended, or never was")
}

func (s *Server) endFlow(w http.ResponseWriter, r *http.Request) {
	id, ok := one(w, r)
	if !ok {
		return
	}
	n, err := s.config.Flows.Kill(r.Context(), []record.ID{id})
	if err == nil && n == 0 {
		gone(w, id)
		return
	}
	if n > 0 {
		s.config.Log.Info().Stringer("flow", id).Msg("ended, as the control socket was told")
	}
	s.tell(w, api.Ended{Ended: n}, err)
}
