package upstream

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"sluice/redir/socket"
	"sluice/redir/source"
)

// prepare makes a new socket take the path, as far as TCP and UDP have it in
// common.
func (p *Path) prepare(fd int) (errno syscall.Errno) {
	if p.Mark != 0 {
		errno = socket.SetInt(fd, unix.SOL_SOCKET, unix.SO_MARK, int32(p.Mark))
	}
	if errno == 0 && p.Device != "" {
		errno = socket.SetText(fd, unix.SOL_SOCKET, unix.SO_BINDTODEVICE, p.Device)
	}
	return errno
}

// Apply makes a new socket of others', as net.Dialer's, take the path towards
// addresses of a family; what it bears is bound by them.
func (p *Path) Apply(fd int, family netip.Addr) error {
	if errno := p.prepare(fd); errno != 0 {
		return os.NewSyscallError("setsockopt", errno)
	}
	if p.Source.Kind == source.Address {
		return bear(fd, family)
	}
	return nil
}

// Check finds out whether sockets may take the path, as every one that sends
// does; Congestion has a check of its own (socket.CheckCongestion). An interface
// that is not there yet is no error.
func (p *Path) Check() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	errno := p.prepare(fd)
	if (errno == 0 || errno == unix.ENODEV) && p.Source.Foreign() {
		if err := bear(fd, netip.IPv4Unspecified()); err != nil {
			return fmt.Errorf("source %s: %w: CAP_NET_ADMIN or CAP_NET_RAW is missing: %s", p.Source, err, socket.CapsRemedy)
		}
	}
	switch {
	case errno == 0 || errno == unix.ENODEV:
		return nil
	case errors.Is(errno, unix.EPERM):
		return fmt.Errorf("mark upstream sockets: setsockopt: %w: CAP_NET_ADMIN or CAP_NET_RAW is missing: %s", errno, socket.CapsRemedy)
	default:
		return os.NewSyscallError("setsockopt", errno)
	}
}
