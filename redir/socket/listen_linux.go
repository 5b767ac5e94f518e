package socket

import (
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// Backlog asks for as long a queue as net.core.somaxconn allows (listen(2)).
const Backlog = 1<<16 - 1

// listenerOptions are those of a listener at addr before bind. Accepted
// connections inherit all of them, which spares a system call for each.
func listenerOptions(addr netip.Addr, transparent bool, network int) []Option {
	options := []Option{
		{"SO_REUSEADDR", unix.SOL_SOCKET, unix.SO_REUSEADDR, 1},
		{"SO_REUSEPORT", unix.SOL_SOCKET, unix.SO_REUSEPORT, 1},
	}
	if addr.Is6() {
		options = append(options, Option{"IPV6_V6ONLY", unix.SOL_IPV6, unix.IPV6_V6ONLY, 1})
	}
	if transparent {
		options = append(options, Transparent(addr))
	} else if !addr.IsUnspecified() {
		options = append(options, freebind(addr))
	}
	if network == unix.SOCK_STREAM {
		options = append(options,
			Option{"TCP_NODELAY", unix.SOL_TCP, unix.TCP_NODELAY, 1},
			Option{"SO_OOBINLINE", unix.SOL_SOCKET, unix.SO_OOBINLINE, 1}) // the relay needs it (splice.Relay.Start)
	}
	return options
}

// Listen makes a bound socket of a network (SOCK_STREAM, which also listens, or
// SOCK_DGRAM), non-blocking, to share its port with the other reactors'
// (SO_REUSEPORT).
func Listen(addr netip.AddrPort, transparent bool, network int) (int, error) {
	fd, err := unix.Socket(Family(addr.Addr()), network|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	err = SetOptions(fd, listenerOptions(addr.Addr(), transparent, network))
	if err == nil {
		err = Bind(fd, addr)
	}
	if err == nil && network == unix.SOCK_STREAM {
		err = os.NewSyscallError("listen", unix.Listen(fd, Backlog))
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// Probe finds out whether addr is free for Listen. SO_REUSEPORT would let a
// second sluice of the same user share the port unnoticed, so this socket does
// without.
func Probe(addr netip.AddrPort, transparent bool, network int) error {
	fd, err := unix.Socket(Family(addr.Addr()), network|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	for _, o := range listenerOptions(addr.Addr(), transparent, network) {
		if o.Opt == unix.SO_REUSEPORT && o.Level == unix.SOL_SOCKET {
			continue
		}
		if o.Opt == unix.SO_REUSEADDR && o.Level == unix.SOL_SOCKET && network == unix.SOCK_DGRAM {
			continue
		}
		if err := SetOptions(fd, []Option{o}); err != nil {
			return err
		}
	}
	return Bind(fd, addr)
}

// Bind is bind(2).
func Bind(fd int, addr netip.AddrPort) error {
	var sa unix.Sockaddr
	if addr.Addr().Is4() {
		sa = &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}
	} else {
		sa = &unix.SockaddrInet6{Port: int(addr.Port()), Addr: addr.Addr().As16()}
	}
	return os.NewSyscallError("bind", unix.Bind(fd, sa))
}
