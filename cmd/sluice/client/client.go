package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"time"
)

// Default is where a service's control socket is.
const Default = "/run/sluice/control.sock"

// Bounds of what is waited for.
const (
	dialTimeout   = 5 * time.Second
	answerTimeout = 15 * time.Second // of the head of an answer: rates take two looks, a second apart
)

// Client speaks to one sluice. It may be used by several goroutines.
type Client struct {
	address string // as it was given
	path    string // of the socket; "": TCP
	base    string // of URLs
	token   string
	http    http.Client
}

// New makes a client of the sluice at address: the path of a Unix socket, or
// ADDR:PORT, where token is needed. Nothing is connected yet.
func New(address, token string) (*Client, error) {
	c := &Client{address: address, token: token, base: "http://localhost"}
	network, at := "tcp", address
	switch {
	case strings.Contains(address, "/"):
		c.path, network, at = filepath.Clean(address), "unix", filepath.Clean(address)
	case address == "off":
		return nil, errors.New("--control off: a sluice without a control socket cannot be asked; name its socket or its ADDR:PORT")
	default:
		if err := checkHost(address); err != nil {
			return nil, err
		}
		c.base = "http://" + address
	}
	dialer := net.Dialer{Timeout: dialTimeout}
	c.http = http.Client{
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return dialer.DialContext(ctx, network, at)
			},
			ResponseHeaderTimeout: answerTimeout,
			MaxIdleConns:          1,
			DisableCompression:    true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// checkHost refuses what would be looked up: the token goes to addresses alone.
func checkHost(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err == nil && port != "" {
		if _, err := netip.ParseAddr(host); err == nil || host == "localhost" {
			return nil
		}
	}
	return fmt.Errorf("%q is no control address: want the path of a socket, as %s, or ADDR:PORT, as 127.0.0.1:9090", address, Default)
}

// Address is what the client was made for.
func (c *Client) Address() string { return c.address }

// Close ends connections that wait for the next request.
func (c *Client) Close() { c.http.CloseIdleConnections() }
