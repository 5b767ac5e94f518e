package page_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/cmd/sluice/api"
	"sluice/cmd/sluice/page"
)

// fake speaks package api as the control socket does, with the page's real handler. It
// sends the samples that a test gives it, when the test gives them.
type fake struct {
	*httptest.Server

	mu      sync.Mutex
	status  api.Status
	token   string // "" asks for none
	flows   []api.Flow
	asked   []string // DELETE, and the queries of events: METHOD URI
	full    bool     // there are as many streams as may be
	streams map[chan string]string
	opened  chan string // the query of each stream
}

func serve(t *testing.T) *fake {
	f := &fake{status: status(), streams: map[chan string]string{}, opened: make(chan string, 100)}
	mux := http.NewServeMux()
	mux.Handle("/", page.Handler())
	mux.HandleFunc("POST /v1/session", f.session)
	mux.HandleFunc("GET /v1/status", f.guard(f.stand))
	mux.HandleFunc("GET /v1/events", f.guard(f.events))
	mux.HandleFunc("GET /v1/flows", f.guard(f.list))
	mux.HandleFunc("GET /v1/flows/{id}", f.guard(f.one))
	mux.HandleFunc("DELETE /v1/flows/{id}", f.guard(f.end))
	mux.HandleFunc("DELETE /v1/flows", f.guard(f.end))
	f.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		f.hangUp()
		f.Close()
	})
	return f
}

func say(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(api.Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail})
}

// guard asks for the cookie where there is a token.
func (f *fake) guard(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		token := f.token
		f.mu.Unlock()
		if cookie, err := r.Cookie("session"); token != "" && (err != nil || cookie.Value != token) {
			refuse(w, http.StatusUnauthorized, "the token is missing")
			return
		}
		next(w, r)
	}
}

func (f *fake) stand(w http.ResponseWriter, _ *http.Request) {
	f.mu.Lock()
	status := f.status
	f.mu.Unlock()
	say(w, status)
}

func (f *fake) session(w http.ResponseWriter, r *http.Request) {
	var given struct{ Token string }
	if json.NewDecoder(r.Body).Decode(&given) != nil || given.Token != f.token {
		refuse(w, http.StatusUnauthorized, "it is another")
		return
	}
	http.SetCookie(w, &http.Cookie{Name: "session", Value: given.Token, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
	w.WriteHeader(http.StatusNoContent)
}

func (f *fake) events(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	full := f.full
	f.mu.Unlock()
	if full {
		refuse(w, http.StatusServiceUnavailable, "16 watch already")
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = fmt.Fprint(w, "retry: 100\n\n") // ms until the browser comes back
	w.(http.Flusher).Flush()
	stream := make(chan string, 1000)
	f.mu.Lock()
	f.streams[stream] = r.URL.RawQuery
	f.mu.Unlock()
	f.opened <- r.URL.RawQuery
	defer func() {
		f.mu.Lock()
		delete(f.streams, stream)
		f.mu.Unlock()
	}()
	for {
		select {
		case event, open := <-stream:
			if !open {
				return
			}
			_, _ = fmt.Fprint(w, event)
			w.(http.Flusher).Flush()
		case <-r.Context().Done():
			return
		}
	}
}

func (f *fake) list(w http.ResponseWriter, r *http.Request) {
	if client := r.URL.Query().Get("client"); client == "nonsense" {
		refuse(w, http.StatusBadRequest, `client: "nonsense" is no address`)
		return
	}
	say(w, api.FlowPage{})
}

func (f *fake) one(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := slices.IndexFunc(f.flows, func(flow api.Flow) bool { return flow.ID == r.PathValue("id") })
	if at < 0 {
		refuse(w, http.StatusNotFound, "it has ended")
		return
	}
	say(w, f.flows[at])
}

func (f *fake) end(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, r.Method+" "+r.URL.RequestURI())
	before := len(f.flows)
	f.flows = slices.DeleteFunc(f.flows, func(flow api.Flow) bool {
		client := r.URL.Query().Get("client")
		return flow.ID == r.PathValue("id") || client != "" && strings.HasPrefix(flow.Client, client+":")
	})
	say(w, api.Ended{Ended: before - len(f.flows)})
}

// took returns what was asked to end since it was called last.
func (f *fake) took() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	asked := f.asked
	f.asked = nil
	return asked
}

// send sends an event to all streams.
func (f *fake) send(name string, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if sample, ok := v.(api.Sample); ok {
		f.flows = sample.Flows
	}
	for stream := range f.streams {
		stream <- fmt.Sprintf("event: %s\ndata: %s\n\n", name, data)
	}
}

// pass tells what was from one second to another, and nothing of 20 seconds in between.
func (f *fake) pass(from, to int) {
	for i := from; i < to; i++ {
		if i < 40 || i > 60 {
			f.send("past", api.Sample{Time: sample(i).Time, Interval: 1, Networks: sample(i).Networks})
		}
	}
}

// hangUp ends all streams.
func (f *fake) hangUp() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for stream := range f.streams {
		close(stream)
		delete(f.streams, stream)
	}
}

// stream waits for a stream, and returns its query.
func (f *fake) stream(t *testing.T) string {
	t.Helper()
	select {
	case query := <-f.opened:
		return query
	case <-time.After(30 * time.Second):
		t.Fatal("no stream was opened")
		return ""
	}
}
