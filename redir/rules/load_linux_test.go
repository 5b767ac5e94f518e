package rules

import (
	"bufio"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// witness is a server that counts who reaches it: the gateway, which is
// sluice, or the client itself, past it.
type witness struct{ proxied, direct atomic.Int64 }

const witnessPort = 8080

func (w *world) witness() *witness {
	seen := &witness{}
	for _, addr := range serverAddrs {
		var l net.Listener
		var p net.PacketConn
		at := net.JoinHostPort(addr, fmt.Sprint(witnessPort))
		w.server.do(func() {
			var err error
			if l, err = net.Listen("tcp", at); err != nil {
				w.t.Fatal(err)
			}
			if p, err = net.ListenPacket("udp", at); err != nil {
				w.t.Fatal(err)
			}
		})
		w.t.Cleanup(func() { l.Close(); p.Close() })
		go func() {
			for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
				fmt.Fprintln(conn, seen.note(conn.RemoteAddr()))
				conn.Close()
			}
		}()
		go func() {
			buffer := make([]byte, 100)
			for _, from, err := p.ReadFrom(buffer); err == nil; _, from, err = p.ReadFrom(buffer) {
				_, _ = p.WriteTo([]byte(seen.note(from)), from)
			}
		}()
	}
	return seen
}

func (seen *witness) note(from net.Addr) string {
	if text := from.String(); strings.HasPrefix(text, "10.9.1.2:") || strings.HasPrefix(text, "[fd09:1::2]:") {
		seen.direct.Add(1)
		return "direct"
	}
	seen.proxied.Add(1)
	return "proxied"
}

// load asks over and over, from a thread for each protocol and family, until
// stopped.
func (w *world) load() (stop func()) {
	var stopped atomic.Bool
	var running sync.WaitGroup
	for _, network := range []string{"tcp", "udp"} {
		for _, addr := range serverAddrs {
			from := w.client.thread()
			running.Add(1)
			go func() {
				defer running.Done()
				for !stopped.Load() {
					w.ask(from, network, addr, witnessPort)
				}
			}()
		}
	}
	return func() { stopped.Store(true); running.Wait() }
}

// sluice runs the real program in the gateway until its ready line.
func (w *world) sluice(program string, more ...string) *exec.Cmd {
	w.t.Helper()
	cmd := exec.Command(program, append([]string{"run", "--tproxy", fmt.Sprintf(":%d", proxyPort), "--log-format", "json"}, more...)...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	w.gateway.do(func() { err = cmd.Start() })
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		if strings.Contains(lines.Text(), `"message":"ready"`) {
			go func() {
				for lines.Scan() {
				}
			}()
			return cmd
		}
	}
	w.t.Fatal("sluice does not get ready")
	return nil
}

func buildSluice(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "sluice")
	if out, err := exec.Command("go", "build", "-o", program, "sluice/cmd/sluice").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// TestKillUnderLoad kills the real program by kill -9. Closed: not one packet
// of a client reaches the server past it. Open: clients reach the server
// directly, and through sluice again once it is back.
func TestKillUnderLoad(t *testing.T) {
	program := buildSluice(t)
	for _, fail := range []Fail{Closed, Open} {
		t.Run(string(fail), func(t *testing.T) {
			w := newWorld(t)
			seen := w.witness()
			running := w.sluice(program)
			w.gateway.do(func() {
				if _, err := Apply(Spec{TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"lan"}, Fail: fail}); err != nil {
					t.Fatal(err)
				}
			})
			stop := w.load()
			defer stop()
			wait(t, "proxied traffic", func() bool { return seen.proxied.Load() > 200 })
			if n := seen.direct.Load(); n != 0 {
				t.Errorf("%d passed beside a living sluice", n)
			}
			_ = running.Process.Signal(syscall.SIGKILL)
			_ = running.Wait()
			if fail == Open {
				wait(t, "direct traffic", func() bool { return seen.direct.Load() > 200 })
			} else {
				wait(t, "refused packets", func() bool { return refused(w) > 10 })
			}
			w.sluice(program)
			proxied := seen.proxied.Load()
			wait(t, "proxied traffic again", func() bool { return seen.proxied.Load() > proxied+200 })
			if n := seen.direct.Load(); fail == Closed && n != 0 {
				t.Errorf("%d passed a dead sluice", n)
			}
		})
	}
}

func refused(w *world) (packets uint64) {
	w.gateway.do(func() {
		status, err := ReadStatus()
		if err != nil {
			w.t.Error(err)
		}
		for _, c := range status.Counters {
			if c.Name == countRefused {
				packets = c.Packets
			}
		}
	})
	return packets
}

// TestReplaceUnderLoad swaps rules again and again; no exchange of a running
// connection is lost, and not one new one gets past the proxy.
func TestReplaceUnderLoad(t *testing.T) {
	w := newWorld(t)
	w.startProxy()
	seen := w.witness()
	spec := Spec{TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"lan"}}
	i := w.install(spec)
	var conns []net.Conn
	w.client.do(func() {
		for _, addr := range serverAddrs {
			conn, err := net.Dial("tcp", net.JoinHostPort(addr, fmt.Sprint(servicePort)))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.Close() })
			conns = append(conns, conn)
		}
	})
	stop := w.load()
	for n := range 40 {
		spec.Dports = []PortRange{{80, 80}, {witnessPort, witnessPort}, {uint16(1000 + n), uint16(1000 + n)}}
		spec.Fail = []Fail{Open, Closed}[n%2]
		w.gateway.do(func() {
			if err := i.Replace(spec); err != nil {
				t.Error(err)
			}
		})
		for _, conn := range conns {
			if got, err := exchange(conn, patience); got != "proxy" {
				t.Fatalf("swap %d: %s: %q, %v", n, conn.RemoteAddr(), got, err)
			}
		}
	}
	stop()
	if n := seen.direct.Load(); n != 0 {
		t.Errorf("%d passed by", n)
	}
	w.gateway.do(func() {
		status, err := ReadStatus()
		if err != nil {
			t.Error(err)
		}
		for _, c := range status.Counters {
			if c.Name == countNew && c.Packets < 100 {
				t.Errorf("the counter did not go on: %+v", c)
			}
		}
	})
}
