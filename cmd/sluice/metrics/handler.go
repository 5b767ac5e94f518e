package metrics

import (
	"net/http"
	"strconv"
)

// startSize is what a page takes with some outbounds and reactors, in bytes.
const startSize = 32 << 10

// Handler answers scrapes with what look sees. Scrapes may come at the same time.
func Handler(look func() Snapshot) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "metrics are read by GET", http.StatusMethodNotAllowed)
			return
		}
		s := look()
		text := s.text()
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Content-Length", strconv.Itoa(len(text)))
		_, _ = w.Write(text)
	})
}

// text is the snapshot in the text format.
func (s *Snapshot) text() []byte {
	p := &page{make([]byte, 0, startSize)}
	p.state(s)
	p.traffic(s)
	p.causes(s)
	p.times(s)
	p.resources(s)
	p.records(s)
	s.Lines.writeTo(p)
	p.process(s)
	p.runtime()
	return p.text
}
