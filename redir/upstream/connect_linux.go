package upstream

import (
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"sluice/redir/socket"
)

// Connect starts a handshake of the new TCP socket fd with dest and returns at
// once.
func Connect(fd int, dest netip.AddrPort, path *Path) error {
	errno := path.prepare(fd)
	if errno == 0 && path.Congestion != "" {
		errno = socket.SetText(fd, unix.SOL_TCP, unix.TCP_CONGESTION, path.Congestion)
	}
	if errno == 0 {
		errno = socket.SetInt(fd, unix.SOL_TCP, unix.TCP_NODELAY, 1)
	}
	if errno == 0 {
		errno = socket.SetInt(fd, unix.SOL_SOCKET, unix.SO_OOBINLINE, 1)
	}
	if errno != 0 {
		return os.NewSyscallError("setsockopt", errno)
	}
	// The handshake's last ACK waits for the client's first bytes, which are
	// mostly there already, and leaves with them: a packet less
	// (tcp_rcv_synsent_state_process looks at this option). AckNow sends it
	// where they are not.
	socket.SetInt(fd, unix.SOL_TCP, unix.TCP_DEFER_ACCEPT, 1)
	if errno = socket.Connect(fd, dest); errno != 0 && errno != unix.EINPROGRESS {
		return os.NewSyscallError("connect", errno)
	}
	return nil
}

// AckNow sends the ACK that Connect held back: a server that speaks first
// waits for it.
func AckNow(fd int) { socket.SetInt(fd, unix.SOL_TCP, unix.TCP_QUICKACK, 1) }
