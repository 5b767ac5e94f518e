package upstream

import (
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"sluice/redir/socket"
)

// Datagram makes a UDP socket of the client's family, unconnected and without
// a port, which its first datagram takes. With errors, it queues what ICMP says
// of its datagrams (ip(7) IP_RECVERR).
func Datagram(client netip.Addr, path *Path, errors bool) (int, syscall.Errno) {
	fd, errno := socket.New(socket.Family(client), unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	if errno != 0 {
		return -1, errno
	}
	if errno = path.prepare(fd); errno != 0 {
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
