package udp

import (
	"net/netip"
	"os"
	"unique"

	"golang.org/x/sys/unix"

	"sluice/redir/count"
	"sluice/redir/socket"
	"sluice/redir/upstream"
)

// Senders are bound to these documentation addresses (RFC 5737, RFC 3849).
// Nobody sends to them, so the sockets never take a datagram from anyone, and
// each message names its own source.
var (
	documentation4 = netip.AddrFrom4([4]byte{192, 0, 2, 1})
	documentation6 = netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 15: 1})
)

// openSocket gives b its socket: bound to the port or, where another service
// holds that without SO_REUSEADDR (EADDRINUSE) or it is a privileged one
// (EACCES), a raw one.
func (p *senders) openSocket(b *sender) (err error) {
	if b.key.narrow {
		b.fd, err = openSender(b.key, unix.SOCK_RAW, unix.IPPROTO_FRAGMENT)
		return err
	}
	b.fd, err = openSender(b.key, unix.SOCK_DGRAM, 0)
	if errno, ok := socket.ErrnoOf(err); ok && (errno == unix.EADDRINUSE || errno == unix.EACCES) {
		b.fd, err = openSender(b.key, unix.SOCK_RAW, unix.IPPROTO_UDP)
		b.raw = err == nil
		if e := p.worker.log.Line(p.fallback, p.worker.r.Now()); e != nil {
			e.Uint16("port", b.key.port).Err(errno).Msg(fallbackText(p.fallback))
		}
	}
	return err
}

func fallbackText(fallback count.Counter) string {
	if fallback == count.WriteBackFallback {
		return "replies from this port leave as raw packets, since another service holds it"
	}
	return "datagrams of clients with this port leave as raw packets, since another service holds it"
}

func openSender(key senderKey, kind, protocol int) (int, error) {
	addr := netip.AddrPortFrom(documentation4, key.port)
	if key.v6 {
		addr = netip.AddrPortFrom(documentation6, key.port)
	}
	if kind == unix.SOCK_RAW {
		addr = netip.AddrPortFrom(addr.Addr(), 0)
	}
	fd, err := unix.Socket(socket.Family(addr.Addr()), kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	err = socket.SetOptions(fd, []socket.Option{
		{Name: "SO_REUSEADDR", Level: unix.SOL_SOCKET, Opt: unix.SO_REUSEADDR, Value: 1},
		{Name: "SO_REUSEPORT", Level: unix.SOL_SOCKET, Opt: unix.SO_REUSEPORT, Value: 1},
		{Name: "SO_RCVBUF", Level: unix.SOL_SOCKET, Opt: unix.SO_RCVBUF, Value: 0}, // the least; nothing is ever read
		socket.Transparent(addr.Addr()),
		fragments(key),
	})
	if err == nil && key.path != (unique.Handle[upstream.Path]{}) {
		path := key.path.Value()
		if errno := path.TakeDatagrams(fd, key.v6); errno != 0 {
			err = os.NewSyscallError("setsockopt", errno)
		}
	}
	if err == nil {
		socket.SetSendBuffer(fd, bulkBuffer)
		err = socket.Bind(fd, addr)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// fragments is what lets datagrams be cut on their way: nothing tells a sender
// of a path's MTU, since it has none of the addresses that an ICMP error
// names. IPv4's routers may cut what bears no DF (ip(7) IP_MTU_DISCOVER);
// IPv6's may not, so what goes by a narrow path is cut here (pushFragments).
func fragments(key senderKey) socket.Option {
	if !key.v6 {
		return socket.Option{Name: "IP_MTU_DISCOVER", Level: unix.SOL_IP, Opt: unix.IP_MTU_DISCOVER, Value: unix.IP_PMTUDISC_DONT}
	}
	return socket.Option{Name: "IPV6_MTU_DISCOVER", Level: unix.SOL_IPV6, Opt: unix.IPV6_MTU_DISCOVER, Value: unix.IPV6_PMTUDISC_WANT}
}

// close closes b, after what waits for it was sent.
func (p *senders) close(b *sender) {
	p.depart(b)
	p.worker.send()
	b.unlink()
	delete(p.all, b.key)
	if near := &p.near[b.key.port%nearSize]; *near == b {
		*near = nil
	}
	unix.Close(b.fd) // no reactor knows it
}
