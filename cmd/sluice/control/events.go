package control

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"sluice/cmd/sluice/api"
)

const (
	// mostStreamFlows are the flows that a sample may have.
	mostStreamFlows = 200
	// mostTopLimit are the clients, and as many destinations, that may be asked for.
	mostTopLimit = 200
	// statusPeriod is how long passes between two events of the status.
	statusPeriod = 10 * time.Second
	// eventTime is how long one may take: who reads nothing for so long is gone.
	eventTime = 10 * time.Second
)

// top answers with clients, destinations or, where it is not said which, both.
func (s *Server) top(w http.ResponseWriter, r *http.Request) {
	by := r.URL.Query().Get("by")
	limit, err := count(r.URL.Query(), "limit", 0, mostTopLimit)
	if err == nil && by != "" && by != "client" && by != "destination" {
		err = fmt.Errorf("by: %q: want client or destination", by)
	}
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	top, err := s.config.Watch.Top(r.Context(), limit)
	switch by {
	case "client":
		top.Destinations = nil
	case "destination":
		top.Clients = nil
	}
	s.tell(w, top, err)
}

// count takes a parameter that is a number out of v.
func count(v url.Values, name string, otherwise, most int) (int, error) {
	text := v.Get(name)
	v.Del(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > most {
		return 0, fmt.Errorf("%s: %q: want a number up to %d", name, text, most)
	}
	return n, nil
}

// events is a stream of samples, and now and then of the status.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	q, history, ok := s.streamQuery(w, r.URL.Query())
	if !ok {
		return
	}
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		w.Header().Set("Retry-After", "10")
		fail(w, http.StatusServiceUnavailable, fmt.Sprintf("%d watch already, which is as many as may", mostStreams))
		return
	}
	out := stream{w, http.NewResponseController(w)}
	_ = out.control.SetReadDeadline(time.Time{}) // it ends when who reads does
	w.Header().Set("Content-Type", "text/event-stream")
	if r.Method == http.MethodHead {
		return
	}
	samples, cancel, err := s.config.Watch.Subscribe(q)
	if err != nil {
		s.tell(w, nil, err)
		return
	}
	defer cancel()
	if out.control.Flush() != nil { // the head, so that who asks knows that it is heard
		return
	}
	if history {
		for _, sample := range s.config.Watch.History() {
			if out.send("past", sample) != nil {
				return
			}
		}
	}
	s.stream(r, out, samples)
}

// streamQuery reads the filters of a stream, and how many flows a sample shall have,
// as flows or as limit: none, where neither is there. They are the fastest, unless
// they are sorted otherwise.
func (s *Server) streamQuery(w http.ResponseWriter, v url.Values) (q api.Query, history, ok bool) {
	n, err := count(v, "flows", -1, mostStreamFlows)
	if err == nil {
		history, err = flag(v, "history")
	}
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return q, false, false
	}
	q, _, ok = s.query(w, v, mostStreamFlows)
	q.Sort = cmp.Or(q.Sort, "rate")
	if n >= 0 {
		q.Limit = n
	}
	if q.Limit == 0 {
		q.Limit = -1
	}
	return q, history, ok
}

func (s *Server) stream(r *http.Request, out stream, samples <-chan api.Sample) {
	period := time.NewTicker(statusPeriod)
	defer period.Stop()
	for {
		var err error
		select {
		case sample, ok := <-samples:
			if !ok {
				return
			}
			err = out.send("sample", sample)
		case <-period.C:
			err = out.send("status", s.config.Steer.Status(r.Context()))
		case <-r.Context().Done():
			return
		case <-s.ending.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// stream is an answer of events.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

// send sends one, as JSON, which has no line's end.
func (s stream) send(name string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	_ = s.control.SetWriteDeadline(time.Now().Add(eventTime))
	if _, err := fmt.Fprintf(s.w, "event: %s\ndata: %s\n\n", name, text); err != nil {
		return err
	}
	return s.control.Flush()
}
