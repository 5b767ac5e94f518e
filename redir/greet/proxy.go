package greet

import (
	"encoding/base64"
	"errors"
	"strings"
	"sync/atomic"
)

// Protocol is how a proxy is spoken to.
type Protocol uint8

const (
	SOCKS5 Protocol = iota
	HTTP            // CONNECT
)

func (p Protocol) String() string {
	if p == HTTP {
		return "http"
	}
	return "socks5"
}

// Proxy is how one proxy is spoken to. Any goroutine may ask; but for what is
// learned of its habit, it never changes.
type Proxy struct {
	protocol Protocol
	greeting string // of SOCKS5
	login    string // of SOCKS5, user and password; "": none
	tail     string // of HTTP: what follows the lines that name the destination

	habit   atomic.Uint32 // a habit
	triedAt atomic.Int64  // ns: when a trial began last
}

// mostCredential bounds a user and a password of SOCKS5, in bytes: their lengths
// are a byte each (RFC 1929).
const mostCredential = 255

// New returns a proxy that is told a user and a password, or neither.
func New(protocol Protocol, user, password string) (*Proxy, error) {
	if user == "" && password != "" {
		return nil, errors.New("a password without a user; name both")
	}
	if protocol == HTTP {
		return newHTTP(user, password)
	}
	if len(user) > mostCredential || len(password) > mostCredential {
		return nil, errors.New("SOCKS5 has users and passwords of at most 255 bytes (RFC 1929)")
	}
	p := &Proxy{protocol: SOCKS5, greeting: string([]byte{version5, 1, methodNone})}
	if user != "" {
		p.greeting = string([]byte{version5, 1, methodLogin})
		b := append([]byte{loginVersion, byte(len(user))}, user...)
		b = append(append(b, byte(len(password))), password...)
		p.login = string(b)
	}
	return p, nil
}

func newHTTP(user, password string) (*Proxy, error) {
	switch {
	case strings.Contains(user, ":"):
		return nil, errors.New("a user of basic authentication has no colon (RFC 7617)")
	case strings.ContainsFunc(user+password, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return nil, errors.New("a user and a password of basic authentication have no control characters (RFC 7617)")
	}
	p := &Proxy{protocol: HTTP, tail: lineEnd + lineEnd}
	if user != "" {
		p.tail = lineEnd + "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password)) + p.tail
	}
	return p, nil
}

// Protocol is what New was told.
func (p *Proxy) Protocol() Protocol { return p.protocol }

// String never shows the user and the password.
func (p *Proxy) String() string { return p.protocol.String() }

// GoString is String.
func (p *Proxy) GoString() string { return p.String() }
