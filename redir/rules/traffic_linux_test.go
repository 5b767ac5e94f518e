package rules

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// world is client -- gateway -- server, with a stand-in for sluice:
//
//	client               gateway                    server
//	10.9.1.2 ---- lan 10.9.1.1 | 10.9.2.1 wan ---- 10.9.2.2, 10.9.2.3
//	fd09:1::2     fd09:1::1      fd09:2::1          fd09:2::2, fd09:2::3
type world struct {
	t                       testing.TB
	client, gateway, server *netns
	proxy                   []func() // closes what the stand-in has open
}

const (
	proxyPort   = 12345
	servicePort = 80
)

var (
	serverAddrs = []string{"10.9.2.2", "fd09:2::2"}
	otherAddrs  = []string{"10.9.2.3", "fd09:2::3"}
	lanAddrs    = []string{"10.9.1.1", "fd09:1::1"}
)

func newWorld(t testing.TB) *world {
	w := &world{t: t, client: newNetns(t), gateway: newNetns(t), server: newNetns(t)}
	join(w.gateway, w.client, "lan", "eth0")
	join(w.gateway, w.server, "wan", "eth0")
	w.gateway.sh(`sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
		ip addr add 10.9.1.1/24 dev lan; ip addr add fd09:1::1/64 dev lan nodad
		ip addr add 10.9.2.1/24 dev wan; ip addr add fd09:2::1/64 dev wan nodad
		ip link set lan up; ip link set wan up`)
	w.client.sh(`ip addr add 10.9.1.2/24 dev eth0; ip addr add fd09:1::2/64 dev eth0 nodad; ip link set eth0 up
		ip route add default via 10.9.1.1; ip route add default via fd09:1::1`)
	w.server.sh(`for n in 2 3; do ip addr add 10.9.2.$n/24 dev eth0; ip addr add fd09:2::$n/64 dev eth0 nodad; done; ip link set eth0 up
		ip route add default via 10.9.2.1; ip route add default via fd09:2::1`)
	for _, addr := range append(append([]string{}, serverAddrs...), otherAddrs...) {
		w.serve(w.server, "server", addr, servicePort, 0) // each replies from its own address
	}
	w.serve(w.gateway, "gateway", "", servicePort, 0)
	t.Cleanup(w.stopProxy)
	wait(t, "the way to the server", func() bool {
		return w.ask(w.client, "tcp", serverAddrs[1], servicePort) == "server"
	})
	return w
}

// serve answers every line and every datagram with the name.
func (w *world) serve(n *netns, name, host string, port int, options int) (stop func()) {
	var l net.Listener
	var p net.PacketConn
	config := net.ListenConfig{Control: func(network, address string, c syscall.RawConn) error {
		return control(c, options)
	}}
	n.do(func() {
		var err error
		if l, err = config.Listen(context.Background(), "tcp", net.JoinHostPort(host, fmt.Sprint(port))); err != nil {
			w.t.Fatal(err)
		}
		if p, err = config.ListenPacket(context.Background(), "udp", net.JoinHostPort(host, fmt.Sprint(port))); err != nil {
			w.t.Fatal(err)
		}
	})
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					fmt.Fprintln(conn, name)
				}
			}()
		}
	}()
	answerer := n.thread()
	go func() { answerer.calls <- func() { answerDatagrams(p.(*net.UDPConn), name, options) } }()
	stop = func() { l.Close(); p.Close() }
	w.t.Cleanup(stop)
	return stop
}

const transparent = 1

func control(c syscall.RawConn, options int) error {
	var errs error
	err := c.Control(func(fd uintptr) {
		errs = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
		if options == transparent {
			errs = errors.Join(errs,
				unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_TRANSPARENT, 1),
				unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_RECVORIGDSTADDR, 1))
			_ = unix.SetsockoptInt(int(fd), unix.SOL_IPV6, unix.IPV6_RECVORIGDSTADDR, 1) // fails for IPv4 alone
		}
	})
	return errors.Join(err, errs)
}

// answerDatagrams answers from the address that the client wrote to.
func answerDatagrams(p *net.UDPConn, name string, options int) {
	buffer, oob := make([]byte, 2000), make([]byte, 200)
	for {
		_, noob, _, client, err := p.ReadMsgUDPAddrPort(buffer, oob)
		if err != nil {
			return
		}
		if options != transparent {
			_, _ = p.WriteToUDPAddrPort([]byte(name), client)
			continue
		}
		dest := originalDest(oob[:noob])
		dialer := net.Dialer{LocalAddr: net.UDPAddrFromAddrPort(dest), Control: func(network, address string, c syscall.RawConn) error {
			return control(c, transparent)
		}}
		if conn, err := dialer.Dial("udp", netip.AddrPortFrom(client.Addr().Unmap(), client.Port()).String()); err == nil {
			_, _ = conn.Write([]byte(name))
			conn.Close()
		}
	}
}

func originalDest(oob []byte) netip.AddrPort {
	messages, _ := unix.ParseSocketControlMessage(oob)
	for i := range messages {
		switch address, err := unix.ParseOrigDstAddr(&messages[i]); to := address.(type) {
		case *unix.SockaddrInet4:
			return netip.AddrPortFrom(netip.AddrFrom4(to.Addr), uint16(to.Port))
		case *unix.SockaddrInet6:
			return netip.AddrPortFrom(netip.AddrFrom16(to.Addr), uint16(to.Port))
		default:
			_ = err
		}
	}
	return netip.AddrPort{}
}

func (w *world) startProxy() {
	w.t.Helper()
	w.proxy = append(w.proxy, w.serve(w.gateway, "proxy", "", proxyPort, transparent))
}

func (w *world) stopProxy() {
	for _, stop := range w.proxy {
		stop()
	}
	w.proxy = nil
}

// How long an answer is waited for: what is known to stay silent is given a
// quarter of a second, and what must answer as long as a busy machine may take.
const (
	silence  = 250 * time.Millisecond
	patience = 5 * time.Second
)

// ask reports who answers within a quarter of a second: a name, "silence" or
// "refused".
func (w *world) ask(from *netns, network, addr string, port int) (answer string) {
	return w.askMarked(from, network, addr, port, 0, silence)
}

func (w *world) askMarked(from *netns, network, addr string, port int, mark int, limit time.Duration) (answer string) {
	from.do(func() {
		dialer := net.Dialer{Timeout: limit, Control: func(network, address string, c syscall.RawConn) error {
			var errs error
			err := c.Control(func(fd uintptr) { errs = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, mark) })
			return errors.Join(err, errs)
		}}
		conn, err := dialer.Dial(network, net.JoinHostPort(addr, fmt.Sprint(port)))
		if err == nil {
			defer conn.Close()
			answer, err = exchange(conn, limit)
		}
		switch {
		case err == nil:
		case errors.Is(err, unix.ECONNREFUSED), errors.Is(err, unix.ECONNRESET):
			answer = "refused"
		case timedOut(err):
			answer = "silence"
		default:
			answer = err.Error()
		}
	})
	return answer
}

func timedOut(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func exchange(conn net.Conn, limit time.Duration) (string, error) {
	_ = conn.SetDeadline(time.Now().Add(limit))
	if _, err := conn.Write([]byte("who\n")); err != nil {
		return "", err
	}
	buffer := make([]byte, 100)
	n, err := conn.Read(buffer)
	return strings.TrimSpace(string(buffer[:n])), err
}

// expect asks both families.
func (w *world) expect(from *netns, network string, addrs []string, port int, want string) {
	w.t.Helper()
	limit := patience
	if want == "silence" {
		limit = silence
	}
	for _, addr := range addrs {
		if got := w.askMarked(from, network, addr, port, 0, limit); got != want {
			w.t.Errorf("%s to %s port %d: %s, want %s", network, addr, port, got, want)
		}
	}
}

func (w *world) install(spec Spec) *Installed {
	w.t.Helper()
	var i *Installed
	w.gateway.do(func() {
		var err error
		if i, err = Install(spec); err != nil {
			w.t.Fatal(err)
		}
	})
	w.t.Cleanup(func() { w.gateway.do(func() { _ = i.Close() }) })
	return i
}

func (w *world) remove(i *Installed) {
	w.t.Helper()
	w.gateway.do(func() {
		if err := i.Close(); err != nil {
			w.t.Error(err)
		}
	})
}

func TestTrafficTProxy(t *testing.T) {
	for name, spec := range map[string]Spec{
		"lan":       {Ifaces: []string{"lan"}},
		"anywhere":  {},
		"divert":    {Ifaces: []string{"lan"}, Established: Divert},
		"open":      {Ifaces: []string{"lan"}, Fail: Open},
		"open mask": {Fail: Open, Mark: 0xf1, Mask: allBits, Table: 1234},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			spec.TCPPort, spec.UDPPort, spec.Exclude = proxyPort, proxyPort, prefixes("10.9.2.3/32", "fd09:2::3/128")
			w.startProxy()
			i := w.install(spec)
			for _, network := range []string{"tcp", "udp"} {
				w.expect(w.client, network, serverAddrs, servicePort, "proxy")
				w.expect(w.client, network, serverAddrs, 9999, "proxy")
				w.expect(w.client, network, otherAddrs, servicePort, "server")
				w.expect(w.client, network, lanAddrs, servicePort, "gateway")
				w.expect(w.gateway, network, serverAddrs, servicePort, "server")
			}
			w.stopProxy()
			dead := "silence"
			if spec.Fail == Open {
				dead = "server"
			}
			for _, network := range []string{"tcp", "udp"} {
				w.expect(w.client, network, serverAddrs, servicePort, dead)
			}
			w.startProxy()
			for _, network := range []string{"tcp", "udp"} {
				w.expect(w.client, network, serverAddrs, servicePort, "proxy")
			}
			w.remove(i)
			w.expect(w.client, "udp", serverAddrs, servicePort, "server")
			w.expect(w.client, "tcp", serverAddrs, servicePort, "server")
		})
	}
}

func TestTrafficOutput(t *testing.T) {
	for _, via := range []Via{TProxy, Redirect} {
		t.Run(string(via), func(t *testing.T) {
			w := newWorld(t)
			w.startProxy()
			spec := Spec{Via: via, TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"lan"}, Output: true}
			networks := []string{"tcp", "udp"}
			if via == Redirect {
				spec.UDPPort, networks = 0, networks[:1]
			}
			i := w.install(spec)
			for _, network := range networks {
				w.expect(w.gateway, network, serverAddrs, servicePort, "proxy")
				w.expect(w.client, network, serverAddrs, servicePort, "proxy")
				w.expect(w.client, network, lanAddrs, servicePort, "gateway")
				w.expect(w.gateway, network, lanAddrs, servicePort, "gateway")
				for _, addr := range serverAddrs {
					if got := w.askMarked(w.gateway, network, addr, servicePort, DefaultOwnMark, patience); got != "server" {
						t.Errorf("%s with sluice's mark to %s: %s", network, addr, got)
					}
				}
			}
			spec.ExcludeUIDs = []uint32{0}
			w.gateway.do(func() {
				if err := i.Replace(spec); err != nil {
					t.Error(err)
				}
			})
			for _, network := range networks {
				w.expect(w.gateway, network, serverAddrs, servicePort, "server")
			}
		})
	}
}

// TestExcludeCgroup leaves one service's traffic alone.
func TestExcludeCgroup(t *testing.T) {
	mount, err := cgroupMount()
	if err != nil {
		t.Skip(err)
	}
	group := fmt.Sprintf("sluice-test-%d", os.Getpid())
	if err := os.Mkdir(filepath.Join(mount, group), 0o755); err != nil {
		t.Skipf("cgroup v2 cannot be written here: %v", err)
	}
	t.Cleanup(func() { _ = os.Remove(filepath.Join(mount, group)) })
	w := newWorld(t)
	w.startProxy()
	i := w.install(Spec{TCPPort: proxyPort, Ifaces: []string{"lan"}, Output: true, ExcludeCgroup: group})
	const ask = `bash -c 'exec 3<>/dev/tcp/10.9.2.2/80; echo who >&3; head -n 1 <&3'`
	if got := w.gateway.sh(ask); got != "proxy\n" {
		t.Errorf("outside: %q", got)
	}
	if got := w.gateway.sh("echo $$ > " + filepath.Join(mount, group, "cgroup.procs") + "; " + ask); got != "server\n" {
		t.Errorf("inside: %q", got)
	}
	w.remove(i)
	w.gateway.do(func() {
		if _, err := Apply(Spec{TCPPort: 1, Output: true, ExcludeCgroup: "no/such"}); err == nil || !strings.Contains(err.Error(), "no/such") {
			t.Errorf("a cgroup that is not there: %v", err)
		}
	})
}

func TestTrafficRedirect(t *testing.T) {
	for _, fail := range []Fail{Closed, Open} {
		t.Run(string(fail), func(t *testing.T) {
			w := newWorld(t)
			w.startProxy()
			i := w.install(Spec{Via: Redirect, Fail: fail, TCPPort: proxyPort, Ifaces: []string{"lan"}, Exclude: prefixes("10.9.2.3/32", "fd09:2::3/128")})
			w.expect(w.client, "tcp", serverAddrs, servicePort, "proxy")
			w.expect(w.client, "tcp", otherAddrs, servicePort, "server")
			w.expect(w.client, "udp", serverAddrs, servicePort, "server")
			w.expect(w.client, "tcp", lanAddrs, servicePort, "gateway")
			w.stopProxy()
			w.expect(w.client, "tcp", serverAddrs, servicePort, "refused")
			if fail == Open {
				i.holder.close() // as the end of the process does
				i.lock.release()
				wait(t, "the table to go", func() bool { return !strings.Contains(w.gateway.sh("nft list ruleset"), "sluice") })
				w.expect(w.client, "tcp", serverAddrs, servicePort, "server")
			}
		})
	}
}

// TestTrafficThroughIPTables loads the printed script instead.
func TestTrafficThroughIPTables(t *testing.T) {
	for _, via := range []Via{TProxy, Redirect} {
		t.Run(string(via), func(t *testing.T) {
			w := newWorld(t)
			w.startProxy()
			spec := Spec{Via: via, TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"lan"}, Output: true,
				Exclude: prefixes("10.9.2.3/32", "fd09:2::3/128"), Dports: []PortRange{{servicePort, servicePort}, {1000, 2000}}}
			networks := []string{"tcp", "udp"}
			if via == Redirect {
				spec.UDPPort, networks = 0, networks[:1]
			}
			w.gateway.sh(mustText(t, spec, FormatIPTables))
			for _, network := range networks {
				w.expect(w.client, network, serverAddrs, servicePort, "proxy")
				w.expect(w.client, network, serverAddrs, 1500, "proxy")
				w.expect(w.client, network, otherAddrs, servicePort, "server")
				w.expect(w.client, network, lanAddrs, servicePort, "gateway")
				w.expect(w.gateway, network, serverAddrs, servicePort, "proxy")
			}
			w.expect(w.client, "tcp", serverAddrs, 9999, "refused") // the server's own answer
		})
	}
}

// TestFlowsUnderWay: a flow that began before the rules goes on, or is ended;
// a diverted one stays diverted.
func TestFlowsUnderWay(t *testing.T) {
	for _, established := range []Established{Keep, Divert} {
		t.Run(string(established), func(t *testing.T) {
			w := newWorld(t)
			if established == Keep {
				w.gateway.sh("nft add table inet track; nft add chain inet track f '{ type filter hook forward priority 0; }'; nft add rule inet track f ct state established accept")
			}
			var before []net.Conn
			dial := func(network, addr string) net.Conn {
				var conn net.Conn
				w.client.do(func() {
					var err error
					if conn, err = net.Dial(network, net.JoinHostPort(addr, fmt.Sprint(servicePort))); err != nil {
						t.Fatal(err)
					}
				})
				t.Cleanup(func() { conn.Close() })
				return conn
			}
			for _, addr := range serverAddrs {
				for _, network := range []string{"tcp", "udp"} {
					before = append(before, dial(network, addr))
					if got, err := exchange(before[len(before)-1], patience); got != "server" {
						t.Fatal(got, err)
					}
				}
			}
			w.startProxy()
			w.install(Spec{TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"lan"}, Established: established})
			for _, conn := range before {
				want := "server"
				if established == Divert {
					want = map[string]string{"tcp": "", "udp": "proxy"}[conn.RemoteAddr().Network()]
				}
				if got, err := exchange(conn, patience); got != want {
					t.Errorf("%s to %s: %q, %v, want %q", conn.RemoteAddr().Network(), conn.RemoteAddr(), got, err, want)
				}
			}
			for _, addr := range serverAddrs {
				for _, network := range []string{"tcp", "udp"} {
					conn := dial(network, addr)
					for n := range 4 {
						got, err := exchange(conn, silence)
						if timedOut(err) { // the stand-in's write-back socket caught it; sluice's cannot
							got, err = exchange(conn, silence)
						}
						if got != "proxy" {
							t.Errorf("%s to %s, message %d: %q, %v", network, addr, n, got, err)
						}
					}
				}
			}
		})
	}
}

// TestSysctlsThatBreakIt shows that the named sysctls are needed, and enough.
func TestSysctlsThatBreakIt(t *testing.T) {
	w := newWorld(t)
	w.startProxy()
	w.gateway.sh("sysctl -qw net.ipv4.conf.lan.rp_filter=1 net.ipv4.conf.all.rp_filter=1")
	i := w.install(Spec{TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"lan"}, Output: true})
	w.expect(w.client, "tcp", serverAddrs, servicePort, "proxy")
	w.gateway.sh("sysctl -qw net.ipv4.conf.lan.src_valid_mark=1")
	w.expect(w.client, "tcp", serverAddrs[:1], servicePort, "silence")
	w.gateway.do(func() {
		if unmet := i.Unmet(); len(unmet) != 1 || unmet[0].Command() != "sysctl -w net.ipv4.conf.lan.src_valid_mark=0" {
			t.Errorf("unmet: %v", unmet)
		}
		if err := i.Replace(Spec{TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"lan"}, Output: true, Sysctl: true}); err != nil {
			t.Error(err)
		}
	})
	w.expect(w.client, "tcp", serverAddrs, servicePort, "proxy")
	w.remove(i)
	w.gateway.do(func() { // a pattern stands for each interface that is there
		plan, err := NewPlan(Spec{TCPPort: proxyPort, Ifaces: []string{"la*", "ppp*"}, Output: true})
		if err != nil {
			t.Fatal(err)
		}
		if unmet := plan.unmet(); len(unmet) != 1 || unmet[0].Command() != "sysctl -w net.ipv4.conf.lan.src_valid_mark=0" {
			t.Errorf("unmet: %v", unmet)
		}
	})
	if got := w.gateway.sh("sysctl -n net.ipv4.conf.lan.src_valid_mark"); got != "1\n" {
		t.Errorf("not put back: %s", got)
	}
}

// TestBridge: br_netfilter undoes TPROXY for a bridged ingress.
func TestBridge(t *testing.T) {
	w := newWorld(t)
	w.gateway.sh(`ip link add br0 type bridge; ip addr flush dev lan; ip link set lan master br0
		ip addr add 10.9.1.1/24 dev br0; ip addr add fd09:1::1/64 dev br0 nodad; ip link set br0 up`)
	if _, err := os.Stat("/proc/sys/net/bridge"); err != nil {
		t.Skip("this kernel has no br_netfilter")
	}
	w.gateway.sh("sysctl -qw net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1")
	for _, addr := range serverAddrs {
		wait(t, "the way over the bridge", func() bool { return w.ask(w.client, "tcp", addr, servicePort) == "server" })
	}
	w.startProxy()
	spec := Spec{TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"br0"}}
	i := w.install(spec)
	w.expect(w.client, "udp", serverAddrs, servicePort, "silence")
	spec.Sysctl = true
	w.gateway.do(func() {
		if err := i.Replace(spec); err != nil {
			t.Error(err)
		}
	})
	for _, network := range []string{"tcp", "udp"} {
		w.expect(w.client, network, serverAddrs, servicePort, "proxy")
	}
}

// TestOutputFailsOpen: after kill -9 the gateway's own traffic flows too.
func TestOutputFailsOpen(t *testing.T) {
	w := newWorld(t)
	owner := w.gateway.owner("open output")
	_ = owner.Process.Kill()
	_ = owner.Wait()
	wait(t, "the table to go", func() bool { return !strings.Contains(w.gateway.sh("nft list tables"), "sluice") })
	for _, network := range []string{"tcp", "udp"} {
		w.expect(w.gateway, network, serverAddrs, servicePort, "server")
		w.expect(w.client, network, serverAddrs, servicePort, "server")
	}
}
