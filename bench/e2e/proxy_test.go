//go:build linux

package e2e

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/bench/lab"
)

// manner is what a proxy speaks, and how it misbehaves. The zero value is an honest
// SOCKS5 server without passwords.
type manner struct {
	http           bool   // CONNECT instead of SOCKS5
	user, password string // asked for; "": nobody's
	bytewise       bool   // answers byte by byte
	refuses        int    // a SOCKS5 reply or an HTTP status that every request gets; 0: none
	method         byte   // of SOCKS5, what the greeting is answered with; 0: as it should
	closes         int    // after so many bytes of its answers it sends FIN; 0: never
	stalls         int    // the same, and says no more
	adds           []byte // sent in one segment with the answer, as if the destination had
	dies           int    // resets both sides after so many bytes of the destination's; 0: never
	relay          string // of ASSOCIATE, the address that it tells; "": the one that it has
	drops          int    // after so many datagrams it ends the association's connection, once; 0: never
}

// proxy is a proxy server in a lab's server, that dials from an address of its own.
type proxy struct {
	manner
	ns           *lab.Namespace
	at           netip.AddrPort
	own4, own6   netip.Addr // whom destinations see
	carried      atomic.Int64
	associations atomic.Int64
	dropped      atomic.Bool
	mu           sync.Mutex // guards conns
	conns        map[net.Conn]bool
	down         func() // closes the listener
}

// startProxy serves at a port of the server until the test ends. n tells its address
// towards destinations from those of others.
func (g *gateway) startProxy(t *testing.T, n int, m manner) *proxy {
	t.Helper()
	p := &proxy{manner: m, ns: g.Server, at: netip.AddrPortFrom(netip.MustParseAddr(lab.Server4), proxyPort(n)), conns: map[net.Conn]bool{},
		own4: netip.MustParseAddr(fmt.Sprintf("198.18.1.%d", n)), own6: netip.MustParseAddr(fmt.Sprintf("2001:2::1:%d", n))}
	p.start(t)
	t.Cleanup(p.stop)
	return p
}

// proxyPort is where the n-th proxy listens.
func proxyPort(n int) uint16 { return uint16(30000 + n) }

// start listens, again after stop.
func (p *proxy) start(t *testing.T) {
	t.Helper()
	ln := listenTCP(t, p.ns, p.at)
	p.down = func() { ln.Close() }
	go func() {
		for {
			c, err := ln.AcceptTCP()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
}

// stop closes the listener and resets what runs.
func (p *proxy) stop() {
	p.down()
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		kill(c)
	}
}

func kill(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	c.Close()
}

// hold notes a connection until it is released, so that stop reaches it.
func (p *proxy) hold(c net.Conn) (release func()) {
	p.mu.Lock()
	p.conns[c] = true
	p.mu.Unlock()
	return func() {
		p.mu.Lock()
		delete(p.conns, c)
		p.mu.Unlock()
		c.Close()
	}
}

// errSaid ends a connection that its manner ended.
var errSaid = errors.New("no more to say")

// speaker writes answers as the manner has it.
type speaker struct {
	*net.TCPConn
	manner
	said int
}

// say writes; errSaid where the manner ends it.
func (s *speaker) say(b []byte) error {
	if most := s.closes + s.stalls; most > 0 && s.said+len(b) >= most {
		_, _ = s.Write(b[:most-s.said])
		if s.stalls > 0 {
			_, _ = io.Copy(io.Discard, s.TCPConn) // until the other side gives up
		}
		return errSaid
	}
	s.said += len(b)
	if !s.bytewise {
		_, err := s.Write(b)
		return err
	}
	for i := range b {
		if _, err := s.Write(b[i : i+1]); err != nil {
			return err
		}
		pass(time.Millisecond) // so that each is a segment of its own
	}
	return nil
}

func (p *proxy) serve(c *net.TCPConn) {
	defer p.hold(c)()
	_ = c.SetDeadline(time.Now().Add(crowdTime))
	s, in := &speaker{TCPConn: c, manner: p.manner}, bufio.NewReader(c)
	if p.http {
		p.serveHTTP(s, in)
		return
	}
	if p.greet(s, in) != nil {
		return
	}
	head := make([]byte, 3)
	if _, err := io.ReadFull(in, head); err != nil || head[0] != 5 {
		return
	}
	dest, err := readEndpoint(in)
	if err != nil {
		return
	}
	reply := func(code byte, bound netip.AddrPort, more ...byte) error {
		return s.say(append(appendEndpoint([]byte{5, code, 0}, bound), more...))
	}
	switch {
	case p.refuses != 0:
		_ = reply(byte(p.refuses), netip.AddrPort{})
	case head[1] == 3:
		p.associate(c, in, func(bound netip.AddrPort) error { return reply(0, bound) })
	default:
		far, err := p.dial(dest)
		if err != nil {
			_ = reply(socksCode(err), netip.AddrPort{})
			return
		}
		defer p.hold(far)()
		if reply(0, netip.AddrPort{}, p.adds...) == nil {
			p.carry(c, in, far)
		}
	}
}

func socksCode(err error) byte {
	if errors.Is(err, unix.ECONNREFUSED) {
		return 5
	}
	return 4
}

// greet answers the greeting, and asks for user and password where there are any.
func (p *proxy) greet(s *speaker, in *bufio.Reader) error {
	head := make([]byte, 2)
	if _, err := io.ReadFull(in, head); err != nil {
		return err
	}
	offered := make([]byte, head[1])
	if _, err := io.ReadFull(in, offered); err != nil {
		return err
	}
	want := byte(0)
	if p.user != "" {
		want = 2
	}
	method := byte(0xff)
	for _, m := range offered {
		if m == want {
			method = want
		}
	}
	if p.method != 0 {
		method = p.method
	}
	if err := s.say([]byte{5, method}); err != nil || method == 0xff || method != want {
		return errors.Join(err, errSaid)
	}
	if want == 0 {
		return nil
	}
	if _, err := io.ReadFull(in, head[:1]); err != nil {
		return err
	}
	var words [2]string
	for i := range words {
		n, err := in.ReadByte()
		if err != nil {
			return err
		}
		word := make([]byte, n)
		if _, err := io.ReadFull(in, word); err != nil {
			return err
		}
		words[i] = string(word)
	}
	if words != [2]string{p.user, p.password} {
		return errors.Join(s.say([]byte{1, 1}), errSaid)
	}
	return s.say([]byte{1, 0})
}

func (p *proxy) serveHTTP(s *speaker, in *bufio.Reader) {
	r, err := http.ReadRequest(in)
	if err != nil {
		return
	}
	answer := func(status int, more string) error {
		return s.say(fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nVia: test\r\n\r\n%s", status, http.StatusText(status), more))
	}
	credentials := "Basic " + base64.StdEncoding.EncodeToString([]byte(p.user+":"+p.password))
	switch {
	case r.Method != http.MethodConnect:
		_ = answer(http.StatusMethodNotAllowed, "")
	case p.refuses != 0:
		_ = answer(p.refuses, "")
	case p.user != "" && r.Header.Get("Proxy-Authorization") != credentials:
		_ = answer(http.StatusProxyAuthRequired, "")
	default:
		dest, err := netip.ParseAddrPort(r.Host)
		var far *net.TCPConn
		if err == nil {
			far, err = p.dial(dest)
		}
		if err != nil {
			_ = answer(http.StatusBadGateway, "")
			return
		}
		defer p.hold(far)()
		if answer(http.StatusOK, string(p.adds)) == nil {
			p.carry(s.TCPConn, in, far)
		}
	}
}

// dial connects to a destination, from the proxy's own address.
func (p *proxy) dial(to netip.AddrPort) (c *net.TCPConn, err error) {
	err = p.ns.Do(func() (err error) {
		c, err = connect(netip.AddrPortFrom(p.own(to.Addr()), 0), to)
		return err
	})
	return c, err
}

// own is the proxy's address towards destinations of an address' family.
func (p *proxy) own(dest netip.Addr) netip.Addr {
	if dest.Is4() {
		return p.own4
	}
	return p.own6
}

// carry relays until both directions have ended.
func (p *proxy) carry(near *net.TCPConn, in *bufio.Reader, far *net.TCPConn) {
	p.carried.Add(1)
	_ = far.SetDeadline(time.Now().Add(crowdTime))
	var up sync.WaitGroup
	up.Go(func() {
		if _, err := in.WriteTo(far); err != nil {
			kill(far)
			kill(near)
			return
		}
		_ = far.CloseWrite()
	})
	var err error
	if p.dies > 0 {
		_, err = io.CopyN(near, far, int64(p.dies))
		err = errors.Join(err, errSaid)
	} else {
		_, err = io.Copy(near, far)
	}
	if err != nil {
		kill(far)
		kill(near)
	} else {
		_ = near.CloseWrite()
	}
	up.Wait()
}

func appendEndpoint(b []byte, at netip.AddrPort) []byte {
	if !at.IsValid() {
		at = netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
	}
	kind := byte(1)
	if at.Addr().Is6() {
		kind = 4
	}
	return binary.BigEndian.AppendUint16(append(append(b, kind), at.Addr().AsSlice()...), at.Port())
}

// readEndpoint reads a kind, an address and a port.
func readEndpoint(in io.Reader) (at netip.AddrPort, err error) {
	b := make([]byte, 19)
	if _, err = io.ReadFull(in, b[:1]); err != nil {
		return at, err
	}
	size := map[byte]int{1: 4, 4: 16}[b[0]]
	if size == 0 {
		return at, fmt.Errorf("an address of kind %d", b[0])
	}
	if _, err = io.ReadFull(in, b[:size+2]); err != nil {
		return at, err
	}
	addr, _ := netip.AddrFromSlice(b[:size])
	return netip.AddrPortFrom(addr, binary.BigEndian.Uint16(b[size:])), nil
}
