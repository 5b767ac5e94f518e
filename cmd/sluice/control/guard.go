package control

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// sessionCookie is the cookie of a session.
const sessionCookie = "sluice-session"

// sessionTime is how long a browser need not ask for the token again.
const sessionTime = 7 * 24 * time.Hour

// guarded lets requests pass that may come from here: of programs, and of the page
// itself in a browser.
func (s *Server) guarded(next http.Handler) http.Handler {
	origins := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		if !isPlainHost(r.Host) {
			fail(w, http.StatusForbidden, "Host "+r.Host+": want an address or localhost: what a name leads to, others may say")
			return
		}
		if err := origins.Check(r); err != nil {
			fail(w, http.StatusForbidden, "the request comes from a page of another origin")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, mostBody)
		next.ServeHTTP(w, r)
	})
}

// isPlainHost tells whether a request was made to an address, and not to a name that
// somebody may have let point here.
func isPlainHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	_, err := netip.ParseAddr(host)
	return err == nil || host == "" || strings.EqualFold(host, "localhost")
}

// known lets pass who has the token, where there is one.
func (s *Server) known(next http.Handler) http.Handler {
	if s.config.Token == "" {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.isKnown(r) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="sluice"`)
			fail(w, http.StatusUnauthorized, "want the token of --control-token-file, as Authorization: Bearer TOKEN")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) isKnown(r *http.Request) bool {
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") && s.config.Token.is(strings.TrimSpace(given)) {
		return true
	}
	cookie, err := r.Cookie(sessionCookie)
	return err == nil && s.config.Token.isSession(cookie.Value, time.Now())
}

// openSession gives a browser a cookie for the token.
func (s *Server) openSession(w http.ResponseWriter, r *http.Request) {
	var given struct {
		Token string `json:"token"`
	}
	if !s.read(w, r, &given) {
		return
	}
	if s.config.Token == "" {
		fail(w, http.StatusNotFound, "a unix socket asks for no token")
		return
	}
	if !s.config.Token.is(given.Token) {
		fail(w, http.StatusUnauthorized, "this is not the token of --control-token-file")
		return
	}
	until := time.Now().Add(sessionTime)
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Value: s.config.Token.session(until), Path: "/",
		Expires: until, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	w.WriteHeader(http.StatusNoContent)
}
