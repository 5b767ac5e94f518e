package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestToken: it comes from the file, or else from the environment, and goes to sluice.
func TestToken(t *testing.T) {
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Authorization")
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte("{}"))
	}))
	defer server.Close()
	t.Setenv("SLUICE_CONTROL_TOKEN", "of-the-environment")
	for _, c := range []struct{ file, says, want string }{
		{"", "", "Bearer of-the-environment"},
		{writeFile(t, "of-the-file\r\n"), "", "Bearer of-the-file"},
		{writeFile(t, "\n"), "want a token of 1 to 4096 bytes", ""},
		{writeFile(t, strings.Repeat("x", mostToken+1)), "want a token of 1 to 4096 bytes", ""},
		{writeFile(t, "two\nlines"), "what no header can carry", ""},
		{"/nonexistent", "--token-file: open /nonexistent: no such file", ""},
	} {
		got = ""
		flags := reachFlags{Control: server.Listener.Addr().String(), TokenFile: c.file}
		source, err := flags.client()
		if err == nil {
			_, err = source.Status(t.Context())
			source.Close()
		}
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) || got != c.want {
			t.Errorf("%s: sent %q, want %q: %v", c.file, got, c.want, err)
		}
	}
}
