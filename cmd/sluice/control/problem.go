package control

import (
	"encoding/json"
	"errors"
	"net/http"

	"sluice/cmd/sluice/api"
)

// fail answers with a problem.
func fail(w http.ResponseWriter, status int, detail string) {
	write(w, "application/problem+json", status, api.Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail})
}

// failWith answers with an error: a problem as it is, anything else as one of status.
func failWith(w http.ResponseWriter, status int, err error) {
	var p *api.Problem
	if errors.As(err, &p) {
		fail(w, p.Status, p.Detail)
		return
	}
	fail(w, status, err.Error())
}

// answer answers with JSON.
func answer(w http.ResponseWriter, body any) { write(w, "application/json", http.StatusOK, body) }

func write(w http.ResponseWriter, kind string, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil { // of a number that JSON has no name for
		kind, status, text = "application/problem+json", http.StatusInternalServerError, []byte(`{"type":"about:blank","title":"Internal Server Error","status":500}`)
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n'))
}
