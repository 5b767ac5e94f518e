package control

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"sluice/cmd/sluice/api"
	"sluice/cmd/sluice/view"
	"sluice/redir/record"
)

// lines answers with all flows that a query asks for, a line each, as they are seen:
// in no order, in one look at all of them, and none kept.
func (s *Server) lines(w http.ResponseWriter, r *http.Request, q api.Query, f *view.Filter) {
	if q.Sort != "" || q.After != "" || q.Limit != 0 || f.WantsRate() {
		fail(w, http.StatusBadRequest, "lines: are in no order, all that there are, and without rates: want no sort, after, limit or rate")
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), linesTime)
	defer cancel()
	control := http.NewResponseController(w)
	encoder, begun := json.NewEncoder(w), false
	err := s.scan(ctx, s.dumps, record.Full, func(records []record.Record, now int64) bool {
		if !begun {
			w.Header().Set("Content-Type", "application/x-ndjson")
			begun = true
		}
		_ = control.SetWriteDeadline(time.Now().Add(eventTime))
		for i := range records {
			if !f.Matches(&records[i], now, -1) {
				continue
			}
			if encoder.Encode(view.Flow(&records[i], s.config.Flows.Wall)) != nil {
				return false // nobody reads any more
			}
		}
		return true
	})
	switch {
	case err == nil:
		w.Header().Set("Content-Type", "application/x-ndjson") // where there was none
	case begun:
		panic(http.ErrAbortHandler) // so that who reads knows that it is not all
	default:
		s.tell(w, nil, err)
	}
}
