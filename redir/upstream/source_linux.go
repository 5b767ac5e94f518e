package upstream

import (
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"sluice/redir/socket"
)

// Ports are those that the kernel gives to sockets which name none, both ends
// included (ip(7) ip_local_port_range). The zero value is none.
type Ports struct{ Low, High uint16 }

// Has reports whether a port is one of them.
func (p Ports) Has(port uint16) bool { return port != 0 && p.Low <= port && port <= p.High }

// without is the longer part of them beside a port, as IP_LOCAL_PORT_RANGE has it;
// 0, which is all of them, for a port that is none of them, or the only one.
func (p Ports) without(port uint16) int32 {
	switch {
	case !p.Has(port) || p.Low == p.High:
		return 0
	case port-p.Low > p.High-port:
		return int32(p.Low) | int32(port-1)<<16
	}
	return int32(port+1) | int32(p.High)<<16
}

// way is how a socket comes by its source. They are tried in this order, from the
// first that fits on.
//
// A port that somebody has bound is lost to all sockets that leave theirs to
// connect, whatever their addresses are, TIME_WAIT included: __inet_hash_connect
// of net/ipv4/inet_hashtables.c skips what inet_csk_get_port has marked. Clients'
// ports would use up the gateway's own. One that connect has chosen is shared by
// all whose addresses differ at either end, and connect can be left a choice of
// one (ip(7) IP_LOCAL_PORT_RANGE, Linux 6.3).
type way uint8

const (
	chosen way = iota // its port, by connect: where that may choose it at all
	bound             // its port, by bind: past TIME_WAIT (tcp_twsk_unique), and past others' binding it
	late              // any port, by connect
	early             // any port, by bind: past others' having bound them all
	noWay
)

func (d *Dial) firstWay() way {
	switch {
	case d.From.Port() == 0:
		return late
	case d.Ports.Has(d.From.Port()):
		return chosen
	}
	return bound
}

// SourceError says that no socket could have the source that it should.
type SourceError struct{ syscall.Errno }

func (e SourceError) Error() string { return "no port of the source may be had: " + e.Errno.Error() }

// connectFrom is Connect with a source. The tuple of a connection that lives is
// taken, and so is one in TIME_WAIT whose server sent no timestamps. (To end that
// one, SOCK_DESTROY of sock_diag(7), takes CAP_NET_ADMIN, which sluice has given
// up.)
func (d *Dial) connectFrom(fd int, dest netip.AddrPort) (now int, kept bool, err error) {
	if err := bear(fd, d.From.Addr()); err != nil {
		return fd, true, err
	}
	first, last := d.firstWay(), unix.EADDRNOTAVAIL
	for w := first; w < noWay; w++ {
		if last = d.bind(fd, w); last != 0 {
			continue
		}
		if last = connect(fd, dest); last == 0 {
			return fd, w < late || first == late, nil
		}
		if last != unix.EADDRNOTAVAIL && last != unix.EADDRINUSE {
			return fd, true, callError("connect", last)
		}
		if w == bound {
			if fd, err = d.renew(fd); err != nil {
				return fd, true, err
			}
		}
	}
	return fd, true, SourceError{last}
}

// bear lets a new socket have an address that the machine does not, beside others
// that have it with the same port.
func bear(fd int, addr netip.Addr) error {
	o := socket.Transparent(addr)
	errno := socket.SetInt(fd, o.Level, o.Opt, 1)
	if errno == 0 {
		errno = socket.SetInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	}
	return callError("setsockopt", errno)
}

// bind gives a socket its address, and its port where the way is to bind that. It
// fails with EADDRINUSE where others have the port, and with EACCES for one below
// 1024 without CAP_NET_BIND_SERVICE; nothing is bound then.
func (d *Dial) bind(fd int, w way) (errno syscall.Errno) {
	from := d.From
	if w != bound {
		from = netip.AddrPortFrom(from.Addr(), 0)
	}
	switch w {
	case chosen:
		errno = leaveToConnect(fd, true)
		if port := int32(d.From.Port()); errno == 0 {
			errno = socket.SetInt(fd, unix.SOL_IP, unix.IP_LOCAL_PORT_RANGE, port|port<<16)
		}
	case late:
		errno = leaveToConnect(fd, true)
		if from, avoid := d.Ports.Has(d.From.Port()), d.Ports.Has(d.Avoid); from || avoid {
			socket.SetInt(fd, unix.SOL_IP, unix.IP_LOCAL_PORT_RANGE, d.Ports.without(d.Avoid))
		}
	case early:
		errno = leaveToConnect(fd, false)
	}
	if errno == 0 {
		errno = socket.TryBind(fd, from)
	}
	if w == bound && errno == unix.EADDRINUSE && socket.SetInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) == 0 {
		errno = socket.TryBind(fd, from) // beside a listener of sluice's own
	}
	return errno
}

// leaveToConnect has connect choose the port where bind names none (ip(7)
// IP_BIND_ADDRESS_NO_PORT).
func leaveToConnect(fd int, leave bool) syscall.Errno {
	value := int32(0)
	if leave {
		value = 1
	}
	return socket.SetInt(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, value)
}

// renew puts another socket in the place of one that cannot be bound again.
func (d *Dial) renew(fd int) (int, error) {
	unix.Close(fd)
	fd, errno := socket.New(socket.Family(d.From.Addr()), unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	if errno != 0 {
		return -1, os.NewSyscallError("socket", errno)
	}
	err := d.prepare(fd, d.From.Addr())
	if err == nil {
		err = bear(fd, d.From.Addr())
	}
	return fd, err
}

// CanChoose reports whether connect can be left a choice of one port.
func CanChoose() bool {
	fd, errno := socket.New(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC)
	if errno != 0 {
		return false
	}
	defer unix.Close(fd)
	return socket.SetInt(fd, unix.SOL_IP, unix.IP_LOCAL_PORT_RANGE, 0) == 0
}
