//go:build linux

package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"sluice/bench/lab"
)

// Ports of TestNames, by their place in a way's.
const (
	httpsAt  = 3 // HTTP/1 and HTTP/2 over TLS
	httpAt   = 4
	quicAt   = 5
	bannerAt = 6 // a server that speaks first
)

// bannerPort is that of a protocol whose servers speak first.
const bannerPort = 22

// byNames are rules of which each needs a name.
func byNames() object {
	return object{
		"outbounds": []object{{"type": "direct", "tag": "direct"}, through(1, "socks", nil), through(2, "http", nil), through(3, "socks", nil)},
		"route": object{"final": "direct", "rules": []object{
			{"domain": "exact.test", "network": "tcp", "outbound": "p2"},
			{"domain_suffix": []string{"one.test", ".sub.test"}, "outbound": "p1"},
			{"domain_keyword": "keyed", "outbound": "p3"},
			{"domain_suffix": "refused.test", "action": "reject"},
		}},
	}
}

// askedNames are what a client may ask for, each with its way.
func askedNames() map[string]string {
	return map[string]string{
		"exact.test": "p2", "not.exact.test": wentDirect, "one.test": "p1", "www.ONE.test": "p1", "sub.test": wentDirect,
		"x.sub.test": "p1", "a-keyed-one.org": "p3", "none.example": wentDirect, "refused.test": wentReset,
	}
}

// TestNames asserts that the name which a client asks for chooses the way of a flow,
// and nothing else: the destination is the client's, and bytes pass unchanged.
func TestNames(t *testing.T) {
	t.Parallel()
	divert := func(l *lab.Lab) error {
		return errors.Join(l.RedirectNFT(redirectPort, ports(redirectFirst)...),
			l.TProxyNFT(tproxyPort, append(ports(tproxyFirst), bannerPort)...))
	}
	g := startRoutes(t, setup{divert: divert}, byNames())
	g.startProxy(t, 1, manner{})
	g.startProxy(t, 2, manner{http: true})
	g.startProxy(t, 3, manner{})
	serve, trust := quicTLS(t)
	for _, w := range ways() {
		g.serveNames(t, netip.AddrPortFrom(w.server(), w.port(httpsAt)), serve)
		g.serveNames(t, netip.AddrPortFrom(w.server(), w.port(httpAt)), nil)
	}
	t.Run("curl", func(t *testing.T) { g.askByCurl(t) })
	t.Run("openssl", func(t *testing.T) { g.askByOpenSSL(t) })
	t.Run("hello in pieces", func(t *testing.T) { g.askInPieces(t) })
	t.Run("quic", func(t *testing.T) { g.askByQUIC(t, serve, trust) })
	t.Run("banner", func(t *testing.T) { g.askSpeakers(t) })
	c := g.counters(t)
	for _, name := range []string{"sniffed_tls", "sniffed_http", "sniffed_quic", "sniffed_none"} {
		if c.number(name) == 0 {
			t.Errorf("no %s in %v", name, c)
		}
	}
}

// serveNames answers a request with the client that it sees, the name that it was
// asked for, and the digest of what was sent. serve: by TLS, HTTP/1 and HTTP/2.
func (g *gateway) serveNames(t *testing.T, at netip.AddrPort, serve *tls.Config) {
	t.Helper()
	ln := listenTCP(t, g.Server, at)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hash := sha256.New()
		_, _ = io.Copy(hash, r.Body)
		fmt.Fprintf(w, "%s %s %s %x\n", r.RemoteAddr, r.Proto, r.Host, hash.Sum(nil))
	})}
	if serve == nil {
		go func() { _ = s.Serve(ln) }()
	} else {
		s.TLSConfig = serve.Clone()
		s.TLSConfig.NextProtos = nil // net/http's own
		go func() { _ = s.ServeTLS(ln, "", "") }()
	}
	t.Cleanup(func() { s.Close() })
}

func (g routed) askByCurl(t *testing.T) {
	curl := needProgram(t, "curl", "curl")
	body := payload(300_000)
	file := filepath.Join(t.TempDir(), "body")
	writeFile(t, file, string(body))
	digest := fmt.Sprintf("%x", sha256.Sum256(body))
	for _, w := range ways() {
		for name, want := range askedNames() {
			for _, how := range []struct {
				scheme, flag, proto string
				at                  int
			}{
				{"http", "--http1.1", "HTTP/1.1", httpAt}, {"https", "--http1.1", "HTTP/1.1", httpsAt}, {"https", "--http2", "HTTP/2.0", httpsAt},
			} {
				url := fmt.Sprintf("%s://%s:%d/", how.scheme, name, w.port(how.at))
				host := w.server().String()
				if w.v6 {
					host = "[" + host + "]"
				}
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				out, err := g.Client.Command(ctx, curl, "--silent", "--insecure", "--noproxy", "*", how.flag, "--data-binary", "@"+file,
					"--resolve", fmt.Sprintf("%s:%d:%s", name, w.port(how.at), host), url).Output()
				cancel()
				if want == wentReset {
					if err == nil {
						t.Errorf("%v %s: %q, want a reset", w, url, out)
					}
					continue
				}
				words := strings.Fields(string(out))
				if err != nil || len(words) != 4 {
					t.Errorf("%v %s %s: %v %q", w, url, how.flag, err, out)
					continue
				}
				if got := wayOf(words[0]); got != want || words[1] != how.proto || words[3] != digest {
					t.Errorf("%v %s %s: %s, %v, want %s", w, url, how.flag, got, words[1:], want)
				}
			}
		}
	}
}

func (g routed) askByOpenSSL(t *testing.T) {
	openssl := needProgram(t, "openssl", "openssl")
	for _, w := range ways() {
		for name, want := range askedNames() {
			if want == wentReset {
				continue
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			cmd := g.Client.Command(ctx, openssl, "s_client", "-connect", netip.AddrPortFrom(w.server(), w.port(httpsAt)).String(),
				"-servername", name, "-quiet", "-ign_eof")
			cmd.Stdin = strings.NewReader("GET / HTTP/1.0\r\nHost: one.test\r\n\r\n") // inside TLS, which nobody reads
			out, err := cmd.Output()
			cancel()
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			words := strings.Fields(lines[len(lines)-1])
			if err != nil || len(words) != 4 || wayOf(words[0]) != want {
				t.Errorf("%v %s: %v %q, want %s", w, name, err, out, want)
			}
		}
	}
}

// pieces writes a few bytes at a time.
type pieces struct {
	net.Conn
	size int
}

func (p pieces) Write(b []byte) (sent int, err error) {
	for sent < len(b) && err == nil {
		var n int
		n, err = p.Conn.Write(b[sent:min(sent+p.size, len(b))])
		sent += n
		if sent < 2000 { // the hello
			pass(time.Millisecond)
		}
	}
	return sent, err
}

// askInPieces asserts that a hello which comes in many segments has its name, and
// that a client without one, and one that says nothing, are served.
func (g routed) askInPieces(t *testing.T) {
	for _, w := range ways() {
		at := netip.AddrPortFrom(w.server(), w.port(httpsAt))
		for name, want := range map[string]string{"one.test": "p1", "none.example": wentDirect, "": wentDirect} {
			c := tls.Client(pieces{dialTCP(t, g.Client, at), 100}, &tls.Config{InsecureSkipVerify: true, ServerName: name})
			_, err := io.WriteString(c, "GET / HTTP/1.0\r\n\r\n")
			got, readErr := io.ReadAll(c)
			_, body, _ := bytes.Cut(got, []byte("\r\n\r\n"))
			who, _, _ := strings.Cut(string(body), " ")
			if err != nil || readErr != nil || wayOf(who) != want {
				t.Errorf("%v %q: %v, %v, %q, want %s", w, name, err, readErr, got, want)
			}
		}
	}
}

// askByQUIC has hellos that span datagrams: Go's have a post-quantum key share.
func (g routed) askByQUIC(t *testing.T, serve, trust *tls.Config) {
	for _, w := range udpWays() {
		at := netip.AddrPortFrom(w.server(), w.port(quicAt))
		ln, err := quicTransport(t, listenUDP(t, g.Server, at)).Listen(serve, quicConfig())
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for {
				conn, err := ln.Accept(t.Context())
				if err != nil {
					return
				}
				go func() {
					if stream, err := conn.AcceptStream(t.Context()); err == nil {
						_, _ = io.WriteString(stream, conn.RemoteAddr().String()+"\n")
						_, _ = io.Copy(stream, stream)
						_ = stream.Close()
					}
				}()
			}
		}()
		for name, want := range askedNames() {
			if want == "p2" {
				want = wentDirect // its rule is for TCP
			}
			got, err := g.askQUIC(t, at, name, trust)
			if want == wentReset {
				if err == nil {
					t.Errorf("%v %s: %s, want an end", w, name, got)
				}
				continue
			}
			if err != nil || got != want {
				t.Errorf("%v %s: %s, %v, want %s", w, name, got, err, want)
			}
		}
	}
}

// askQUIC opens a connection for a name, and finds out which way it went.
func (g routed) askQUIC(t *testing.T, at netip.AddrPort, name string, trust *tls.Config) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	config := trust.Clone()
	config.ServerName, config.InsecureSkipVerify = name, true
	limits := quicConfig()
	limits.HandshakeIdleTimeout = 5 * time.Second
	local := way{tproxy: true, v6: at.Addr().Is6()}.client()
	tr := quicTransport(t, listenUDP(t, g.Client, netip.AddrPortFrom(local, 0)))
	if wentReset == askedNames()[name] { // a refusal ends no handshake of quic-go's
		limits.HandshakeIdleTimeout = time.Second
	}
	conn, err := tr.Dial(ctx, net.UDPAddrFromAddrPort(at), config, limits)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.CloseWithError(0, "") }()
	return readQUIC(ctx, conn)
}

func readQUIC(ctx context.Context, conn *quic.Conn) (string, error) {
	stream, err := conn.OpenStreamSync(ctx)
	if err != nil {
		return "", err
	}
	want := payload(100_000)
	go func() {
		_, _ = stream.Write(want)
		_ = stream.Close()
	}()
	got, err := io.ReadAll(stream)
	who, echoed, _ := strings.Cut(string(got), "\n")
	if err == nil && echoed != string(want) {
		err = fmt.Errorf("%d bytes came back of %d, or other ones", len(echoed), len(want))
	}
	return wayOf(who), err
}

// askSpeakers asserts that a server which speaks first is heard although rules want
// a name: at once at a port that is known for it, and after a bounded wait at any.
func (g routed) askSpeakers(t *testing.T) {
	const banner = "SSH-2.0-test\r\n"
	for _, w := range ways() {
		to := []uint16{w.port(bannerAt)}
		if w.tproxy {
			to = append(to, bannerPort)
		}
		for _, port := range to {
			at := netip.AddrPortFrom(w.server(), port)
			serveTCP(t, g.Server, at, func(c *net.TCPConn) {
				_, _ = io.WriteString(c, banner)
				_, _ = io.Copy(c, c)
			})
			fastest := patience
			for range 3 {
				start := time.Now()
				c := dialTCP(t, g.Client, at)
				wantBytes(t, c, []byte(banner))
				fastest = min(fastest, time.Since(start))
				if err := exchange(c, "one.test"); err != nil {
					t.Errorf("%v: %v", at, err)
				}
				c.Close()
			}
			if port == bannerPort && fastest > quiet/2 {
				t.Errorf("%v: heard after %v at the earliest", at, fastest)
			}
		}
	}
}
