package control

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"sluice/cmd/sluice/api"
)

// methods are what may be done at a path.
type methods map[string]http.HandlerFunc

// ServeHTTP answers HEAD as GET, of which net/http leaves the body out.
func (m methods) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	handle, ok := m[method]
	if !ok {
		w.Header().Set("Allow", m.allow())
		fail(w, http.StatusMethodNotAllowed, r.Method+" "+r.URL.Path+": want "+m.allow())
		return
	}
	handle(w, r)
}

func (m methods) allow() string {
	var all []string
	for method := range m {
		all = append(all, method)
		if method == http.MethodGet {
			all = append(all, http.MethodHead)
		}
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	open := func(path string, m methods) { mux.Handle(path, timed(m)) }
	route := func(path string, m methods) { mux.Handle(path, s.known(timed(m))) }
	long := func(path string, m methods) { mux.Handle(path, s.known(m)) } // with times of their own
	route("/v1/status", methods{http.MethodGet: s.started(s.status)})
	route("/v1/flows", methods{http.MethodGet: s.started(s.flows), http.MethodDelete: s.started(s.endFlows)})
	route("/v1/flows/{id}", methods{http.MethodGet: s.started(s.flow), http.MethodDelete: s.started(s.endFlow)})
	route("/v1/counters", methods{http.MethodGet: s.started(s.counters)})
	route("/v1/top", methods{http.MethodGet: s.started(s.top)})
	long("/v1/events", methods{http.MethodGet: s.started(s.events)})
	route("/v1/config", methods{http.MethodGet: s.started(s.showConfig)})
	route("/v1/log-level", methods{http.MethodGet: s.logLevel, http.MethodPut: s.setLogLevel})
	long("/v1/reload", methods{http.MethodPost: s.started(s.reload)})
	route("/v1/drain", methods{http.MethodPost: s.started(s.drain)})
	route("/healthz", methods{http.MethodGet: func(w http.ResponseWriter, r *http.Request) { s.health(w, false) }})
	route("/readyz", methods{http.MethodGet: func(w http.ResponseWriter, r *http.Request) { s.health(w, true) }})
	route("/metrics", methods{http.MethodGet: s.started(s.config.Metrics.ServeHTTP)})
	open("/v1/session", methods{http.MethodPost: s.openSession})
	open("/{$}", methods{http.MethodGet: s.config.Page.ServeHTTP})
	open("/page/", methods{http.MethodGet: s.config.Page.ServeHTTP})
	mux.Handle("/", s.known(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fail(w, http.StatusNotFound, r.URL.Path+": there is nothing here; the paths are /v1/status, /v1/flows, /v1/counters, /v1/top, /v1/events, "+
			"/v1/config, /v1/log-level, /v1/reload, /v1/drain, /healthz, /readyz, /metrics and /")
	})))
	return mux
}

// timed bounds how long an answer may take.
func timed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTime))
		ctx, cancel := context.WithTimeout(r.Context(), answerTime)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// started lets pass what sluice can answer once it serves.
func (s *Server) started(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !s.serves.Load() {
			w.Header().Set("Retry-After", "1")
			fail(w, http.StatusServiceUnavailable, starting)
			return
		}
		next(w, r)
	}
}

const starting = "sluice starts"

func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	answer(w, s.config.Steer.Status(r.Context()))
}

func (s *Server) counters(w http.ResponseWriter, _ *http.Request) {
	answer(w, s.config.Steer.Counters())
}

func (s *Server) showConfig(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(s.config.Steer.Config())
}

// health answers 503 where something is amiss, with the causes.
func (s *Server) health(w http.ResponseWriter, ready bool) {
	h := api.Health{Well: !ready, Causes: nil}
	switch {
	case s.serves.Load():
		h = s.config.Health(ready)
	case ready:
		h.Causes = []string{starting}
	}
	status := http.StatusOK
	if !h.Well {
		status = http.StatusServiceUnavailable
	}
	write(w, "application/json", status, h)
}

func (s *Server) logLevel(w http.ResponseWriter, _ *http.Request) {
	answer(w, api.LogLevel{Level: s.config.Steer.LogLevel()})
}

func (s *Server) setLogLevel(w http.ResponseWriter, r *http.Request) {
	var level api.LogLevel
	if !s.read(w, r, &level) {
		return
	}
	if err := s.config.Steer.SetLogLevel(level.Level); err != nil {
		failWith(w, http.StatusBadRequest, err)
		return
	}
	s.logLevel(w, r)
}

func (s *Server) reload(w http.ResponseWriter, _ *http.Request) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{})
	_ = control.SetWriteDeadline(time.Now().Add(reloadTime))
	changes, err := s.config.Steer.Reload()
	if err != nil {
		failWith(w, http.StatusUnprocessableEntity, err)
		return
	}
	answer(w, api.Reloaded{Changes: append([]string{}, changes...)})
}

func (s *Server) drain(w http.ResponseWriter, _ *http.Request) { answer(w, s.config.Steer.Drain()) }

// read reads a body of JSON, or answers why it cannot be.
func (s *Server) read(w http.ResponseWriter, r *http.Request, into any) bool {
	text, err := io.ReadAll(r.Body)
	if _, tooLong := err.(*http.MaxBytesError); tooLong {
		fail(w, http.StatusRequestEntityTooLarge, "the body is too long")
		return false
	}
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		fail(w, http.StatusBadRequest, "the body: want JSON: "+err.Error())
		return false
	}
	return true
}
