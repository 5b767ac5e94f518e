package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"time"

	"sluice/cmd/sluice/api"
)

//go:embed files
var files embed.FS

// policy has the browser load scripts, styles and data from here alone, frame the page
// nowhere, and parse no text as HTML.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// file is one of the page's. Read only, once it is made.
type file struct {
	kind    string // media type
	tag     string // ETag
	content []byte
}

// Handler serves the page at / and its files at /page/. Browsers ask each time whether
// a file is still the same, so that a page never mixes two releases.
func Handler() http.Handler {
	paths := map[string]*file{}
	entries, err := files.ReadDir("files")
	if err != nil {
		panic(err) // they are embedded
	}
	for _, entry := range entries {
		content, err := files.ReadFile("files/" + entry.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(content)
		f := &file{kind: mediaType(entry.Name()), tag: fmt.Sprintf(`"%x"`, sum[:12]), content: content}
		if entry.Name() == "index.html" {
			paths["/"] = f
		} else {
			paths["/page/"+entry.Name()] = f
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := paths[r.URL.Path]
		switch {
		case f == nil:
			problem(w, http.StatusNotFound, "the page has no such file")
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			problem(w, http.StatusMethodNotAllowed, "the page can be read alone")
		default:
			f.serve(w, r)
		}
	})
}

func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	for name, value := range map[string]string{
		"Content-Type": f.kind, "ETag": f.tag, "Cache-Control": "no-cache",
		"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
	} {
		w.Header().Set(name, value)
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.content))
}

// mediaType does not depend on the tables of the machine, which Landlock would hide.
func mediaType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return "application/octet-stream"
}

// problem answers as RFC 9457 has it.
func problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(api.Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail})
}
