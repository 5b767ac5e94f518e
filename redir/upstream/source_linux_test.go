package upstream

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/redir/count"
	"sluice/redir/socket"
)

// ground is a network namespace in which every address of a few prefixes is local,
// so that what a socket towards a client's address is sent comes back.
type ground struct {
	t      *testing.T
	v6     bool
	ports  Ports
	dests  [2]netip.AddrPort // servers that listen
	server int               // listens at the first of dests
	fds    map[int]bool      // that are open
}

// onGround runs f in a namespace of its own, once for each family.
func onGround(t *testing.T, f func(g *ground)) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	for _, v6 := range []bool{false, true} {
		t.Run(map[bool]string{false: "IPv4", true: "IPv6"}[v6], func(t *testing.T) {
			done := make(chan struct{})
			go func() {
				defer close(done)
				runtime.LockOSThread() // never unlocked: the namespace ends with the thread
				if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
					t.Error(err)
					return
				}
				g := &ground{t: t, v6: v6, ports: Ports{40000, 40019}, fds: map[int]bool{}}
				defer g.close()
				g.sh("ip link set lo up; ip route add local 198.18.0.0/15 dev lo; ip -6 route add local 2001:2::/48 dev lo")
				g.sh("sysctl -qw net.ipv4.ip_local_port_range='40000 40019'")
				for i := range g.dests {
					g.dests[i] = netip.AddrPortFrom(g.addr(9, i), 80)
				}
				g.server = g.listen(g.dests[0], true)
				g.listen(g.dests[1], true)
				f(g)
			}()
			<-done
		})
	}
}

func (g *ground) sh(script string) {
	if out, err := exec.Command("sh", "-ec", script).CombinedOutput(); err != nil {
		g.t.Errorf("%s: %v: %s", script, err, out)
		runtime.Goexit()
	}
}

func (g *ground) close() {
	for fd := range g.fds {
		unix.Close(fd)
	}
}

// end closes a socket before the namespace ends; with a reset, nothing is left of it.
func (g *ground) end(fd int, reset bool) {
	if reset {
		socket.SetLinger0(fd)
	}
	unix.Close(fd)
	delete(g.fds, fd)
}

func (g *ground) addr(net, host int) netip.Addr {
	if g.v6 {
		return netip.MustParseAddr(fmt.Sprintf("2001:2::%d:%d", net, host))
	}
	return netip.MustParseAddr(fmt.Sprintf("198.18.%d.%d", net, host))
}

func (g *ground) client(host, port int) netip.AddrPort {
	return netip.AddrPortFrom(g.addr(1, host), uint16(port))
}

// listen listens as sluice does, or as others do.
func (g *ground) listen(at netip.AddrPort, shared bool) int {
	fd := g.new()
	if shared {
		socket.SetInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	}
	if err := bear(fd, at.Addr()); err != nil {
		g.t.Error(err)
	}
	if err := errors.Join(socket.Bind(fd, at), unix.Listen(fd, 256)); err != nil {
		g.t.Errorf("listen %v: %v", at, err)
	}
	return fd
}

func (g *ground) new() int {
	fd, errno := socket.New(socket.Family(g.addr(0, 0)), unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
	if errno != 0 {
		g.t.Error(errno)
	}
	g.fds[fd] = true
	return fd
}

// dial connects and asserts whether the port is from's.
func (g *ground) dial(what string, from, dest netip.AddrPort, want bool) int {
	g.t.Helper()
	d := Dial{Path: &Path{}, From: from, Ports: g.ports}
	given := g.new()
	fd, kept, err := d.Connect(given, dest)
	delete(g.fds, given)
	g.fds[fd] = true
	if err != nil {
		g.t.Errorf("%s: %v", what, err)
		return fd
	}
	at, err := socket.LocalAddr(fd)
	if err != nil || kept != want || at.Addr() != from.Addr() || at.Port() == 0 || from.Port() != 0 && want != (at.Port() == from.Port()) {
		g.t.Errorf("%s: from %v: %v, kept: %v, %v", what, from, at, kept, err)
	}
	AckNow(fd)
	if errno := socket.TakeError(fd); errno != 0 || socket.HasNoPeer(fd) {
		g.t.Errorf("%s: not connected: %v", what, errno)
	}
	return fd
}

// TestOnePortTowardsManyServers asserts that clients keep their ports, whichever
// the kernel may choose itself, towards one server and several.
func TestOnePortTowardsManyServers(t *testing.T) {
	onGround(t, func(g *ground) {
		for _, port := range []int{22, 500, 2000, 40001, 50000} {
			for host := range 2 {
				for _, dest := range g.dests {
					g.dial("client", g.client(host, port), dest, true)
				}
			}
		}
		g.dial("any port", g.client(3, 0), g.dests[0], true)
	})
}

// TestPortsAreLeft asserts that clients' ports do not use up those of the gateway's
// own sockets, in TIME_WAIT either.
func TestPortsAreLeft(t *testing.T) {
	onGround(t, func(g *ground) {
		for port := g.ports.Low; port <= g.ports.High; port++ {
			g.dial("client", g.client(1, int(port)), g.dests[0], true)
			g.end(g.dial("client", g.client(2, int(port)), g.dests[0], true), false)
		}
		if errno := connect(g.new(), g.dests[0]); errno != 0 {
			g.t.Errorf("the gateway itself: %v", errno)
		}
		g.dial("any port", g.client(3, 0), g.dests[0], true)
	})
}

// TestTakenTuple asserts that a tuple that is in use is evaded.
func TestTakenTuple(t *testing.T) {
	onGround(t, func(g *ground) {
		for _, port := range []int{2000, 40001} {
			g.dial("first", g.client(1, port), g.dests[0], true)
			g.dial("the same again", g.client(1, port), g.dests[0], false)
			g.dial("another server", g.client(1, port), g.dests[1], true)
		}
	})
}

// TestTimeWait asserts that a port is used again while its last connection is in
// TIME_WAIT where the server has timestamps, and evaded where it has none.
func TestTimeWait(t *testing.T) {
	onGround(t, func(g *ground) {
		g.sh("sysctl -qw net.ipv4.tcp_tw_reuse=0")
		for i, timestamps := range []bool{true, false} {
			if !timestamps {
				g.sh("sysctl -qw net.ipv4.tcp_timestamps=0")
			}
			for _, port := range []int{2000, 40001} {
				from := g.client(i, port)
				fd := g.dial("first", from, g.dests[0], true)
				unix.Shutdown(fd, unix.SHUT_WR)
				g.endServed()
				g.end(fd, false)
				g.dial(fmt.Sprint("again, timestamps: ", timestamps), from, g.dests[0], timestamps)
				g.endServed()
			}
		}
	})
}

// endServed ends what the first server has accepted.
func (g *ground) endServed() {
	fd, _, err := unix.Accept4(g.server, unix.SOCK_CLOEXEC)
	if err != nil {
		g.t.Errorf("accept: %v", err)
	}
	unix.Close(fd)
}

// TestServicesPort asserts that a client's port at which the gateway has a service
// is evaded, and kept where that service is sluice's own.
func TestServicesPort(t *testing.T) {
	onGround(t, func(g *ground) {
		wildcard := netip.IPv4Unspecified()
		if g.v6 {
			wildcard = netip.IPv6Unspecified()
		}
		for _, port := range []uint16{2000, 40001} {
			for i, own := range []bool{false, true} {
				g.listen(netip.AddrPortFrom(wildcard, port+uint16(i)), own)
				g.dial(fmt.Sprint("own: ", own), g.client(i, int(port)+i), g.dests[0], own)
			}
		}
	})
}

// TestPortIsAvoided asserts that any port is any other than that one.
func TestPortIsAvoided(t *testing.T) {
	onGround(t, func(g *ground) {
		for _, avoid := range []uint16{39999, 40000, 40009, 40010, 40019, 40020} {
			for range 30 {
				d := Dial{Path: &Path{}, From: g.client(1, 0), Avoid: avoid, Ports: g.ports}
				fd, kept, err := d.Connect(g.new(), g.dests[0])
				at, _ := socket.LocalAddr(fd)
				if err != nil || !kept || at.Port() == avoid || !g.ports.Has(at.Port()) {
					g.t.Errorf("%v instead of %d: kept: %v, %v", at, avoid, kept, err)
				}
				g.end(fd, true)
			}
		}
	})
}

// TestAllPortsAreBound asserts that there still is one where others have bound all
// those from which connect may choose, and what comes of it where there is none.
func TestAllPortsAreBound(t *testing.T) {
	onGround(t, func(g *ground) {
		hold := func(host int) {
			for port := g.ports.Low; port <= g.ports.High; port++ {
				fd := g.new()
				if err := errors.Join(bear(fd, g.addr(0, 0)), socket.Bind(fd, g.client(host, int(port)))); err != nil {
					g.t.Errorf("%d: %v", port, err)
				}
			}
		}
		hold(1)
		g.dial("any port", g.client(2, 0), g.dests[1], true)
		g.dial("its port", g.client(2, 40001), g.dests[0], true)
		g.dial("taken", g.client(2, 40001), g.dests[0], false)
		hold(3)
		d := Dial{Path: &Path{}, From: g.client(3, 0), Ports: g.ports}
		fd, _, err := d.Connect(g.new(), g.dests[0])
		if CauseOf(err) != count.FailedSource || fd < 0 {
			g.t.Errorf("none is left: %d, %v", fd, err)
		}
	})
}

// TestSourceDoesNotAllocate bounds what a client's source costs.
func TestSourceDoesNotAllocate(t *testing.T) {
	onGround(t, func(g *ground) {
		d, path := Dial{Ports: g.ports}, Path{Mark: 2}
		d.Path, d.From = &path, g.client(1, 40001)
		if n := testing.AllocsPerRun(20, func() {
			fd, _ := socket.New(socket.Family(d.From.Addr()), unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
			fd, _, _ = d.Connect(fd, g.dests[0])
			socket.Reset(fd)
		}); n != 0 {
			g.t.Errorf("%v allocations", n)
		}
	})
}
