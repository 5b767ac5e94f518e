package page_test

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"sluice/cmd/sluice/page"
	"sluice/redir/count"
)

func get(method, path, tag string) *http.Response {
	r := httptest.NewRequest(method, path, nil)
	if tag != "" {
		r.Header.Set("If-None-Match", tag)
	}
	w := httptest.NewRecorder()
	page.Handler().ServeHTTP(w, r)
	return w.Result()
}

func TestHandler(t *testing.T) {
	for path, kind := range map[string]string{
		"/": "text/html; charset=utf-8", "/page/page.css": "text/css; charset=utf-8",
		"/page/main.js": "text/javascript; charset=utf-8", "/page/icon.svg": "image/svg+xml",
	} {
		got := get("GET", path, "")
		if got.StatusCode != 200 || got.Header.Get("Content-Type") != kind || got.ContentLength == 0 {
			t.Errorf("%s: %d, %q", path, got.StatusCode, got.Header)
		}
		for name, part := range map[string]string{"Content-Security-Policy": "default-src 'none'; script-src 'self'", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"} {
			if !strings.Contains(got.Header.Get(name), part) {
				t.Errorf("%s: %s is %q", path, name, got.Header.Get(name))
			}
		}
		if again := get("GET", path, got.Header.Get("ETag")); again.StatusCode != 304 {
			t.Errorf("%s with its tag %s: %d", path, got.Header.Get("ETag"), again.StatusCode)
		}
		if head := get("HEAD", path, ""); head.StatusCode != 200 || head.Header.Get("Content-Length") != got.Header.Get("Content-Length") {
			t.Errorf("HEAD %s: %d, %q", path, head.StatusCode, head.Header)
		}
	}
	for path, status := range map[string]int{"/page/": 404, "/page/index.html": 404, "/page/../page.go": 404, "/other": 404, "/page/main.js.map": 404} {
		if got := get("GET", path, ""); got.StatusCode != status || got.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d, %q", path, got.StatusCode, got.Header)
		}
	}
	if got := get("POST", "/", ""); got.StatusCode != 405 || got.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d, %q", got.StatusCode, got.Header)
	}
}

// text is that of all files whose name ends so.
func text(t *testing.T, ending string) string {
	names, err := filepath.Glob("files/*" + ending)
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	var all strings.Builder
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(content)
	}
	return all.String()
}

func TestFilesNameNobodyElse(t *testing.T) {
	outside := regexp.MustCompile(`(https?:)?//[a-z][^ ]*\.[a-z]+/?[^ ]*`)
	for _, found := range outside.FindAllString(text(t, "*"), -1) {
		if !strings.HasPrefix(found, "http://www.w3.org/2000/svg") { // a namespace: nobody asks there
			t.Errorf("%s", found)
		}
	}
	parsing := regexp.MustCompile(`innerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|setAttribute\('(style|on)`)
	if found := parsing.FindString(text(t, ".js")); found != "" {
		t.Errorf("a script uses %s", found)
	}
}

func TestEveryCauseHasAMeaning(t *testing.T) {
	known := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^  (\w+): ["']`).FindAllStringSubmatch(text(t, "meanings.js"), -1) {
		known[m[1]] = true
	}
	for _, c := range count.All() {
		switch c.Kind() {
		case count.Refusal, count.Failure, count.Drop, count.End:
			if !known[c.String()] {
				t.Errorf("%s has none", c)
			}
			delete(known, c.String())
		}
	}
	for name := range known {
		t.Errorf("%s is no cause", name)
	}
}

// TestContrast asks for what WCAG 2.2 asks for at level AA, of text and of lines.
func TestContrast(t *testing.T) {
	colours := map[string][2]string{}
	for _, m := range regexp.MustCompile(`--(\w+): light-dark\((#\w{6}), (#\w{6})\)`).FindAllStringSubmatch(text(t, ".css"), -1) {
		colours[m[1]] = [2]string{m[2], m[3]}
	}
	for at, theme := range []string{"light", "dark"} {
		for _, ground := range []string{"ground", "panel", "faint"} {
			for _, name := range []string{"text", "muted", "down", "up", "good", "bad", "warn"} {
				if got := contrast(colours[name][at], colours[ground][at]); got < 4.5 {
					t.Errorf("%s: %s on %s has a contrast of %.2f", theme, name, ground, got)
				}
			}
		}
	}
}

func contrast(a, b string) float64 {
	high, low := luminance(a), luminance(b)
	if high < low {
		high, low = low, high
	}
	return (high + 0.05) / (low + 0.05)
}

// luminance is the relative one of #rrggbb.
func luminance(colour string) float64 {
	var sum float64
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(colour[1+2*i:3+2*i], 16, 8)
		if err != nil {
			panic(fmt.Sprint(colour, err))
		}
		c := float64(n) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}
