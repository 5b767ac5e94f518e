package main

import (
	"errors"
	"net/url"
	"strings"

	"sluice/redir/outbound"
	"sluice/redir/resolve"
)

// upstreamTag is the tag of the outbound that --upstream names.
const upstreamTag = "upstream"

// upstreamURL is --upstream: an outbound in one word. It never shows its password,
// and is read without an error, since the library would show the text beside it:
// err is what is amiss.
type upstreamURL struct {
	spec  outbound.Spec
	given bool
	err   error
}

var (
	errUpstream       = errors.New("want socks5://[USER[:PASSWORD]@]HOST[:PORT], http://[USER[:PASSWORD]@]HOST:PORT, direct: or block:, with IPv6 in brackets, and what has a meaning of its own as %XX")
	errUpstreamSOCKS4 = errors.New("sluice speaks SOCKS5 only: want socks5://HOST:PORT")
	errUpstreamTLS    = errors.New("sluice speaks no TLS to a proxy: want http://HOST:PORT, where a program such as stunnel speaks it")
	errUpstreamPort   = errors.New("an HTTP proxy's port is to be named, as http://192.0.2.7:3128")
)

// UnmarshalText never fails.
func (u *upstreamURL) UnmarshalText(text []byte) error {
	*u = upstreamURL{given: true}
	u.spec, u.err = parseUpstream(string(text))
	u.spec.Tag = upstreamTag
	return nil
}

// String is the URL without what is secret.
func (u upstreamURL) String() string {
	if !u.given {
		return ""
	}
	return u.spec.String()
}

// GoString is String.
func (u upstreamURL) GoString() string { return u.String() }

// socksPort is that of SOCKS (RFC 1928, 3).
const socksPort = 1080

func parseUpstream(text string) (s outbound.Spec, err error) {
	scheme, rest, hasHost := strings.Cut(text, "://")
	switch scheme {
	case "direct", "direct:":
		return outbound.Spec{Kind: outbound.Direct}, errIf(hasHost)
	case "block", "block:":
		return outbound.Spec{Kind: outbound.Block}, errIf(hasHost)
	case "socks5", "socks5h", "socks":
		s.Kind = outbound.Socks
	case "http":
		s.Kind = outbound.HTTP
	case "socks4", "socks4a":
		return s, errUpstreamSOCKS4
	case "https":
		return s, errUpstreamTLS
	default:
		return s, errUpstream
	}
	login, host := cutLogin(rest)
	user, password, _ := strings.Cut(login, ":")
	if s.User, err = url.PathUnescape(user); err != nil {
		return s, errUpstream
	}
	plain, err := url.PathUnescape(password)
	if err != nil {
		return s, errUpstream
	}
	s.Password = outbound.Secret(plain)
	port := uint16(0)
	if s.Kind == outbound.Socks {
		port = socksPort
	}
	if s.Server, err = resolve.ParseTarget(strings.TrimSuffix(host, "/"), port); err != nil || !hasHost {
		return s, errUpstream
	}
	if s.Server.Port == 0 {
		return s, errUpstreamPort
	}
	return s, nil
}

func errIf(wrong bool) error {
	if wrong {
		return errUpstream
	}
	return nil
}

// cutLogin splits what follows a URL's scheme into user and password, and the host.
func cutLogin(rest string) (login, host string) {
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		return rest[:at], rest[at+1:]
	}
	return "", rest
}

// secretIn is where in an upstream's URL its password is; none where from is to.
func secretIn(text string) (from, to int) {
	_, rest, ok := strings.Cut(text, "://")
	if !ok {
		rest = text
	}
	begin := len(text) - len(rest)
	login, _ := cutLogin(rest)
	colon := strings.IndexByte(login, ':')
	if colon < 0 {
		return 0, 0
	}
	return begin + colon + 1, begin + len(login)
}
