package control

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const secret = Token("0123456789abcdef")

func TestToken(t *testing.T) {
	r := newRig(t, secret)
	r.server.Ready()
	response := r.wants("GET", "/v1/status", "", 401, "Authorization: Bearer TOKEN")
	if response.Header.Get("WWW-Authenticate") == "" {
		t.Error("no WWW-Authenticate")
	}
	for _, path := range []string{"/v1/flows", "/v1/flows/t0.1.1", "/v1/events", "/v1/config", "/metrics", "/healthz", "/readyz", "/nowhere"} {
		r.wants("GET", path, "", 401, "TOKEN")
	}
	r.wants("DELETE", "/v1/flows?all=true", "", 401, "TOKEN")
	r.wants("GET", "/", "", 200, "the page")
	r.wants("GET", "/page/a.js", "", 200, "the page")
	if response, _ := r.do("GET", "/page/../v1/config", ""); response.StatusCode/100 == 2 {
		t.Error("a path around the token")
	}
	for header, status := range map[string]int{
		"Bearer " + string(secret): 200, "bearer  " + string(secret): 200, "Bearer " + string(secret) + "0": 401,
		"Bearer": 401, "Bearer ": 401, "Basic " + string(secret): 401, string(secret): 401,
	} {
		r.header.Set("Authorization", header)
		says := "TOKEN"
		if status == 200 {
			says = "serving"
		}
		r.wants("GET", "/v1/status", "", status, says)
	}
}

func TestSession(t *testing.T) {
	r := newRig(t, secret)
	r.server.Ready()
	r.wants("POST", "/v1/session", `{"token":"wrong"}`, 401, "not the token")
	response := r.wants("POST", "/v1/session", `{"token":"`+string(secret)+`"}`, 204, "")
	cookies := response.Cookies()
	if len(cookies) != 1 || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteStrictMode || strings.Contains(cookies[0].Value, string(secret)) {
		t.Fatalf("cookies %v", cookies)
	}
	r.header.Set("Cookie", cookies[0].Name+"="+cookies[0].Value)
	r.wants("GET", "/v1/status", "", 200, "serving")
	later := fmt.Sprintf("%d", time.Now().Add(time.Hour).Unix())
	for _, forged := range []string{"", ".", later + ".", later + "." + strings.Repeat("0", 64), later + "." + Token("another token 16").sign(later),
		secret.session(time.Now().Add(-time.Second))} {
		r.header.Set("Cookie", cookies[0].Name+"="+forged)
		r.wants("GET", "/v1/status", "", 401, "TOKEN")
	}
}

// TestBrowsers: what a page of somebody else makes a browser ask for is refused.
func TestBrowsers(t *testing.T) {
	r := newRig(t, "")
	r.server.Ready()
	for _, host := range []string{"localhost", "localhost:8080", "127.0.0.1:9090", "[::1]:9090", "[::1]", "LOCALHOST"} {
		r.header.Set("Host", host)
		r.wants("GET", "/v1/status", "", 200, "serving")
	}
	for _, host := range []string{"evil.example", "evil.example:9090", "127.0.0.1.evil.example", "localhost.evil.example"} {
		r.header.Set("Host", host)
		r.wants("GET", "/v1/status", "", 403, "want an address or localhost")
		r.wants("GET", "/", "", 403, "want an address or localhost")
	}
	r.header.Set("Host", "localhost:8080")
	r.header.Set("Sec-Fetch-Site", "cross-site")
	r.wants("DELETE", "/v1/flows?all=true", "", 403, "another origin")
	r.wants("POST", "/v1/drain", "", 403, "another origin")
	r.header.Set("Sec-Fetch-Site", "same-origin")
	r.wants("DELETE", "/v1/flows/t0.1.1", "", 200, `{"ended":1}`)
	r.header.Del("Sec-Fetch-Site")
	r.header.Set("Origin", "http://evil.example")
	r.wants("DELETE", "/v1/flows?all=true", "", 403, "another origin")
	if r.drained != 0 || len(r.records) != 19 {
		t.Error("what was refused was done")
	}
}

func TestReadToken(t *testing.T) {
	dir := t.TempDir()
	file := func(text string) string {
		path := filepath.Join(dir, "token")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Setenv(TokenVariable, "")
	if got, err := ReadToken(""); got != "" || err != nil {
		t.Errorf("%q, %v", string(got), err)
	}
	for _, text := range []string{string(secret), string(secret) + "\n", string(secret) + "\r\n"} {
		if got, err := ReadToken(file(text)); got != secret || err != nil {
			t.Errorf("%q: %q, %v", text, string(got), err)
		}
	}
	for text, says := range map[string]string{"": "empty", "\n": "empty", "short": "16 to 4096", "has blanks in its middle": "blanks", strings.Repeat("x", 5000): "16 to 4096"} {
		if _, err := ReadToken(file(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	if _, err := ReadToken(filepath.Join(dir, "none")); err == nil {
		t.Error("a file that is not there")
	}
	t.Setenv(TokenVariable, string(secret))
	if got, err := ReadToken(""); got != secret || err != nil {
		t.Errorf("%q, %v", string(got), err)
	}
	t.Setenv(TokenVariable, "short")
	if _, err := ReadToken(""); err == nil || !strings.Contains(err.Error(), TokenVariable) {
		t.Error(err)
	}
	if text := fmt.Sprintf("%v %#v %s", secret, secret, secret); strings.Contains(text, string(secret)) {
		t.Errorf("it shows: %s", text)
	}
}
