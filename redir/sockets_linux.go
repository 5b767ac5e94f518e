package redir

import (
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Keepalive of both sides: a peer whose cable was pulled is noticed after
// keepaliveIdle + keepaliveCount*keepaliveInterval, 15 minutes.
const (
	keepaliveIdle     = 600 // s
	keepaliveInterval = 60  // s
	keepaliveCount    = 5
)

// backlog asks for as long a queue as net.core.somaxconn allows (listen(2)).
const backlog = 1<<16 - 1

func family(a netip.Addr) int {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// option is one call of setsockopt.
type option struct {
	name       string
	level, opt int
	value      int
}

func setOptions(fd int, options []option) error {
	for _, o := range options {
		if err := unix.SetsockoptInt(fd, o.level, o.opt, o.value); err != nil {
			return os.NewSyscallError("setsockopt "+o.name, err)
		}
	}
	return nil
}

// listenerOptions are those of a listener at addr before bind. Accepted
// connections inherit all of them, which spares a system call for each.
func listenerOptions(addr netip.Addr, kind Kind, network int) []option {
	options := []option{
		{"SO_REUSEADDR", unix.SOL_SOCKET, unix.SO_REUSEADDR, 1},
		{"SO_REUSEPORT", unix.SOL_SOCKET, unix.SO_REUSEPORT, 1},
	}
	if addr.Is6() {
		options = append(options, option{"IPV6_V6ONLY", unix.SOL_IPV6, unix.IPV6_V6ONLY, 1})
	}
	if kind == TProxy {
		options = append(options, transparent(addr))
	}
	if network == unix.SOCK_STREAM {
		options = append(options,
			option{"TCP_NODELAY", unix.SOL_TCP, unix.TCP_NODELAY, 1},
			option{"SO_OOBINLINE", unix.SOL_SOCKET, unix.SO_OOBINLINE, 1}, // the relay needs it (splice.Relay.Start)
			option{"SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1})
		options = append(options, keepaliveTimes...)
	}
	return options
}

var keepaliveTimes = []option{
	{"TCP_KEEPIDLE", unix.SOL_TCP, unix.TCP_KEEPIDLE, keepaliveIdle},
	{"TCP_KEEPINTVL", unix.SOL_TCP, unix.TCP_KEEPINTVL, keepaliveInterval},
	{"TCP_KEEPCNT", unix.SOL_TCP, unix.TCP_KEEPCNT, keepaliveCount},
}

// transparent lets a socket have an address that the machine does not
// (ip(7) IP_TRANSPARENT; needs CAP_NET_ADMIN or CAP_NET_RAW).
func transparent(addr netip.Addr) option {
	if addr.Is4() {
		return option{"IP_TRANSPARENT", unix.SOL_IP, unix.IP_TRANSPARENT, 1}
	}
	return option{"IPV6_TRANSPARENT", unix.SOL_IPV6, unix.IPV6_TRANSPARENT, 1}
}

// openListener makes a bound socket of the given type (SOCK_STREAM, which also
// listens, or SOCK_DGRAM), non-blocking, to share its port with the other
// reactors' (SO_REUSEPORT).
func openListener(addr netip.AddrPort, kind Kind, network int) (int, error) {
	fd, err := unix.Socket(family(addr.Addr()), network|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	err = setOptions(fd, listenerOptions(addr.Addr(), kind, network))
	if err == nil {
		err = bind(fd, addr)
	}
	if err == nil && network == unix.SOCK_STREAM {
		err = os.NewSyscallError("listen", unix.Listen(fd, backlog))
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func bind(fd int, addr netip.AddrPort) error {
	var sa unix.Sockaddr
	if addr.Addr().Is4() {
		sa = &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}
	} else {
		sa = &unix.SockaddrInet6{Port: int(addr.Port()), Addr: addr.Addr().As16()}
	}
	return os.NewSyscallError("bind", unix.Bind(fd, sa))
}

// probeBind finds out whether addr is free. SO_REUSEPORT would let a second
// sluice of the same user share the port unnoticed, so this socket does
// without.
func probeBind(addr netip.AddrPort, kind Kind, network int) error {
	fd, err := unix.Socket(family(addr.Addr()), network|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	for _, o := range listenerOptions(addr.Addr(), kind, network) {
		if o.opt == unix.SO_REUSEPORT && o.level == unix.SOL_SOCKET {
			continue
		}
		if o.opt == unix.SO_REUSEADDR && o.level == unix.SOL_SOCKET && network == unix.SOCK_DGRAM {
			continue
		}
		if err := setOptions(fd, []option{o}); err != nil {
			return err
		}
	}
	return bind(fd, addr)
}

// dialTCP starts a handshake of the new socket fd with dest and returns at
// once.
func dialTCP(fd int, dest netip.AddrPort, mark uint32) error {
	var errno syscall.Errno
	if mark != 0 {
		errno = setInt(fd, unix.SOL_SOCKET, unix.SO_MARK, int32(mark))
	}
	if errno == 0 {
		errno = setInt(fd, unix.SOL_TCP, unix.TCP_NODELAY, 1)
	}
	if errno == 0 {
		errno = setInt(fd, unix.SOL_SOCKET, unix.SO_OOBINLINE, 1)
	}
	if errno != 0 {
		return os.NewSyscallError("setsockopt", errno)
	}
	// The handshake's last ACK waits for the client's first bytes, which are
	// mostly there already, and leaves with them: a packet less
	// (tcp_rcv_synsent_state_process looks at this option). ackNow sends it
	// where they are not.
	setInt(fd, unix.SOL_TCP, unix.TCP_DEFER_ACCEPT, 1)
	if errno = connect(fd, dest); errno != 0 && errno != unix.EINPROGRESS {
		return os.NewSyscallError("connect", errno)
	}
	return nil
}

// setKeepalive watches for a peer that vanished. Best effort: a conn lives
// without it.
func setKeepalive(fd int) {
	if setInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1) == 0 {
		setOptions(fd, keepaliveTimes)
	}
}

// ackNow sends the ACK that dialTCP held back: a server that speaks first
// waits for it.
func ackNow(fd int) { setInt(fd, unix.SOL_TCP, unix.TCP_QUICKACK, 1) }

// setLinger0 makes close send a RST (socket(7) SO_LINGER).
func setLinger0(fd int) {
	unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
}

// resetFD closes fd, which no reactor knows, with a RST.
func resetFD(fd int) {
	setLinger0(fd)
	unix.Close(fd)
}
