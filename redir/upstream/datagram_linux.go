package upstream

import (
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"sluice/redir/socket"
	"sluice/redir/source"
)

// Datagram makes a UDP socket of the client's family, unconnected and without
// a port, which its first datagram takes, or with one of an address that path
// names; of clients' addresses it has none. With errors, it queues what ICMP says
// of its datagrams (ip(7) IP_RECVERR).
func Datagram(client netip.Addr, path *Path, errors bool) (int, syscall.Errno) {
	fd, errno := socket.New(socket.Family(client), unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	if errno != 0 {
		return -1, errno
	}
	if errno = path.prepareDatagram(fd, client); errno != 0 {
		unix.Close(fd)
		return -1, errno
	}
	if errors {
		if client.Is4() {
			socket.SetInt(fd, unix.SOL_IP, unix.IP_RECVERR, 1)
		} else {
			socket.SetInt(fd, unix.SOL_IPV6, unix.IPV6_RECVERR, 1)
		}
	}
	return fd, 0
}

func (p *Path) prepareDatagram(fd int, client netip.Addr) syscall.Errno {
	if errno := p.prepare(fd); errno != 0 {
		return errno
	}
	p.classify(fd, !client.Is4())
	if p.TOS.Copy {
		ReportTOS(fd, !client.Is4(), true)
	}
	from := p.Source.For(netip.AddrPortFrom(client, 0))
	if p.Source.Kind != source.Address || !from.Addr().IsValid() {
		return 0
	}
	transparent := socket.Transparent(from.Addr())
	if errno := socket.SetInt(fd, transparent.Level, transparent.Opt, 1); errno != 0 {
		return errno
	}
	errno, _ := socket.ErrnoOf(socket.Bind(fd, from))
	return errno
}

// classify gives what fd sends the path's type of service. Best effort.
func (p *Path) classify(fd int, v6 bool) {
	switch {
	case !p.TOS.Set:
	case v6:
		socket.SetInt(fd, unix.SOL_IPV6, unix.IPV6_TCLASS, int32(p.TOS.Value))
	default:
		socket.SetInt(fd, unix.SOL_IP, unix.IP_TOS, int32(p.TOS.Value))
	}
}

// ReportTOS has a UDP socket tell each datagram's type of service, or no longer.
// Best effort.
func ReportTOS(fd int, v6, on bool) {
	value := int32(0)
	if on {
		value = 1
	}
	if v6 {
		socket.SetInt(fd, unix.SOL_IPV6, unix.IPV6_RECVTCLASS, value)
	} else {
		socket.SetInt(fd, unix.SOL_IP, unix.IP_RECVTOS, value)
	}
}

// TakeDatagrams makes a new UDP socket, which others than its client share, take
// the path, but for its source.
func (p *Path) TakeDatagrams(fd int, v6 bool) syscall.Errno {
	errno := p.prepare(fd)
	p.classify(fd, v6)
	return errno
}
