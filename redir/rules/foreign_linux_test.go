package rules

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func clientsSpec() Spec {
	return Spec{TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"lan"}, Sources: Sources{Clients: true, Ports: true}}
}

// TestClientsSeen has the server see the client's address and port, masquerade
// give it the gateway's, and both pass a strict firewall with no invalid packet.
func TestClientsSeen(t *testing.T) {
	for name, setting := range map[string]struct {
		script string
		spec   func(*Spec)
		want   []string
	}{
		"plain":            {"", func(*Spec) {}, []string{"", ""}},
		"strict":           {strict, func(*Spec) {}, []string{"", ""}},
		"masquerade":       {masquerade, func(*Spec) {}, []string{"10.9.2.1", "fd09:2::1"}},
		"both":             {masquerade + "\n" + strict, func(*Spec) {}, []string{"10.9.2.1", "fd09:2::1"}},
		"open":             {masquerade + "\n" + strict, func(s *Spec) { s.Fail = Open }, []string{"10.9.2.1", "fd09:2::1"}},
		"SYN cookies":      {strict + "\nsysctl -qw net.ipv4.tcp_syncookies=2", func(*Spec) {}, []string{"", ""}},
		"reverse path":     {strict + "\nsysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.lan.rp_filter=1 net.ipv4.conf.wan.rp_filter=1", func(*Spec) {}, []string{"", ""}},
		"source with mark": {"sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.all.src_valid_mark=1", func(*Spec) {}, []string{"", ""}},
		"output":           {strict, func(s *Spec) { s.Output = true }, []string{"", ""}},
		"divert":           {masquerade, func(s *Spec) { s.Established = Divert }, []string{"10.9.2.1", "fd09:2::1"}},
		"kernel":           {strict, func(s *Spec) { s.Sources.KernelReplies = true }, []string{"", ""}},
		"kernel masked":    {masquerade + "\n" + strict, func(s *Spec) { s.Sources.KernelReplies = true }, []string{"10.9.2.1", "fd09:2::1"}},
		"TCP anywhere":     {masquerade + "\n" + strict, func(s *Spec) { s.Ifaces, s.UDPPort = nil, 0 }, []string{"10.9.2.1", "fd09:2::1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newForeign(t)
			r := w.foreignRelay()
			w.gateway.sh(invalid + "\n" + setting.script)
			spec := clientsSpec()
			setting.spec(&spec)
			networks := bothProtocols
			if spec.UDPPort == 0 {
				networks = networks[:1]
			}
			w.install(spec)
			for range 3 {
				for family, addr := range mirrors {
					w.expectSeen(w.client, networks, []string{addr}, setting.want[family])
				}
			}
			r.noFailures()
			w.noneInvalid()
		})
	}
}

// TestClientsBulk has 20 MB go each way at once, and ends seen by the server as the
// client made them.
func TestClientsBulk(t *testing.T) {
	for name, script := range map[string]string{"strict": strict, "masquerade": masquerade + "\n" + strict} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newForeign(t)
			r := w.foreignRelay()
			w.gateway.sh(invalid + "\n" + script)
			w.install(clientsSpec())
			for _, addr := range serverAddrs {
				at := net.JoinHostPort(addr, "7001")
				for _, end := range []string{"FIN", "RST"} {
					w.bulk(at, end)
				}
			}
			r.noFailures()
			w.noneInvalid()
		})
	}
}

const bulkBytes = 20 << 20

// bulk sends and takes in as much, then ends the connection.
func (w *world) bulk(at, end string) {
	w.t.Helper()
	var l net.Listener
	w.server.do(func() {
		var err error
		if l, err = net.Listen("tcp", at); err != nil {
			w.t.Fatal(err)
		}
	})
	defer l.Close()
	ended := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			ended <- err
			return
		}
		defer conn.Close()
		go func() { _, _ = io.CopyN(conn, zeros{}, bulkBytes) }()
		if _, err = io.CopyN(io.Discard, conn, bulkBytes); err == nil {
			_, err = conn.Read(make([]byte, 1))
		}
		ended <- err
	}()
	var conn net.Conn
	w.client.do(func() {
		var err error
		if conn, err = net.DialTimeout("tcp", at, patience); err != nil {
			w.t.Fatal(err)
		}
	})
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(60 * time.Second))
	sent := make(chan error, 1)
	go func() { _, err := io.CopyN(conn, zeros{}, bulkBytes); sent <- err }()
	if n, err := io.CopyN(io.Discard, conn, bulkBytes); err != nil {
		w.t.Fatalf("%s: %d bytes came, then %v", at, n, err)
	}
	if err := <-sent; err != nil {
		w.t.Fatalf("%s: %v", at, err)
	}
	if end == "RST" {
		_ = conn.(*net.TCPConn).SetLinger(0)
	}
	conn.Close()
	select {
	case err := <-ended:
		if end == "FIN" && err != io.EOF || end == "RST" && !errors.Is(err, unix.ECONNRESET) {
			w.t.Errorf("%s: the server saw %v, want %s", at, err, end)
		}
	case <-time.After(patience):
		w.t.Errorf("%s: the server saw no %s", at, end)
	}
}

// zeros is a source without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// TestClientsOnTheGateway has the server be the gateway: by loopback, and by an
// address that others reach too.
func TestClientsOnTheGateway(t *testing.T) {
	for name, to := range map[string][2]string{
		"loopback": {"127.0.0.1:8080", "[::1]:8080"},
		"lan":      {"10.9.1.1:8080", "[fd09:1::1]:8080"},
		"wan":      {"10.9.2.1:8080", "[fd09:2::1]:8080"},
	} {
		for script, text := range map[string]string{"": "", " strict": strict, " reverse path": "sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.all.src_valid_mark=1", " output": ""} {
			t.Run(name+script, func(t *testing.T) {
				t.Parallel()
				w := newForeign(t)
				r := w.foreignRelay()
				r.mapped = func(dest netip.AddrPort) netip.AddrPort {
					if dest.Port() != servicePort {
						return dest
					}
					return netip.MustParseAddrPort(to[(dest.Addr().BitLen()-32)/96])
				}
				for _, at := range to {
					w.mirror(w.gateway, at)
				}
				w.gateway.sh(invalid + "\n" + text)
				spec := clientsSpec()
				spec.Output = script == " output"
				i := w.install(spec)
				for range 3 {
					w.expectSeen(w.client, bothProtocols, []string{"10.9.2.2:80", "[fd09:2::2]:80"}, "")
				}
				w.expectSeen(w.client, bothProtocols, mirrors, "")
				if name != "loopback" && script != " strict" {
					w.expectSeen(w.client, bothProtocols, to[:], "")
				}
				r.noFailures()
				w.noneInvalid()
				w.remove(i)
			})
		}
	}
}
