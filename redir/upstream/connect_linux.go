package upstream

import (
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"sluice/redir/socket"
)

// Dial is how the upstream of one connection begins.
type Dial struct {
	*Path
	From  netip.AddrPort // what it bears, of the destination's family; invalid: what the routes choose; port 0: any
	Avoid uint16         // a port that connect does not choose where any will do; 0: none
	TOS   uint8          // without ECN's bits; 0: the kernel's own
	Ports Ports          // that the kernel may choose; see way
}

// Connect starts a handshake of the new TCP socket fd with dest, and returns at
// once. Where fd could not have the source, another socket is in its place, or
// none, which is -1. kept is false where the source has another port than it
// should.
func (d *Dial) Connect(fd int, dest netip.AddrPort) (now int, kept bool, err error) {
	if err := d.prepare(fd, dest.Addr()); err != nil {
		return fd, true, err
	}
	if d.From.IsValid() {
		return d.connectFrom(fd, dest)
	}
	return fd, true, callError("connect", connect(fd, dest))
}

// prepare makes a new socket what all upstreams are.
func (d *Dial) prepare(fd int, dest netip.Addr) error {
	errno := d.Path.prepare(fd)
	if errno == 0 && d.TOS != 0 {
		errno = socket.SetTOS(fd, socket.Family(dest), d.TOS)
	}
	if errno == 0 && d.Congestion != "" {
		errno = socket.SetText(fd, unix.SOL_TCP, unix.TCP_CONGESTION, d.Congestion)
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
	return nil
}

// connect is connect(2), with 0 where it goes on by itself.
func connect(fd int, dest netip.AddrPort) syscall.Errno {
	if errno := socket.Connect(fd, dest); errno != unix.EINPROGRESS {
		return errno
	}
	return 0
}

// callError is nil for 0.
func callError(call string, errno syscall.Errno) error {
	if errno == 0 {
		return nil
	}
	return os.NewSyscallError(call, errno)
}

// AckNow sends the ACK that Connect held back: a server that speaks first
// waits for it.
func AckNow(fd int) { socket.SetInt(fd, unix.SOL_TCP, unix.TCP_QUICKACK, 1) }
