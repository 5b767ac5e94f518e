package socket

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// congestionFile names the congestion controls that the kernel has loaded
// (tcp(7)).
const congestionFile = "/proc/sys/net/ipv4/tcp_available_congestion_control"

// CheckCongestion finds out whether sockets may use a congestion control. Asking
// for one loads its module where there is one, and the caller has CAP_NET_ADMIN
// (tcp_set_congestion_control in net/ipv4/tcp_cong.c).
func CheckCongestion(name string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	switch errno := SetText(fd, unix.SOL_TCP, unix.TCP_CONGESTION, name); {
	case errno == 0:
		return nil
	case errors.Is(errno, unix.ENOENT):
		available, _ := os.ReadFile(congestionFile)
		return fmt.Errorf("congestion control %q is not there (there are: %s); load it with: modprobe tcp_%s", name, strings.TrimSpace(string(available)), name)
	case errors.Is(errno, unix.EPERM):
		return fmt.Errorf("congestion control %q: %w: it needs CAP_NET_ADMIN, which running sluice has given up unless it was started with such a one, or a place in net.ipv4.tcp_allowed_congestion_control", name, errno)
	default:
		return os.NewSyscallError("setsockopt TCP_CONGESTION", errno)
	}
}

// DefaultCongestion is the control that a new socket has.
func DefaultCongestion() (string, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	name, err := unix.GetsockoptString(fd, unix.SOL_TCP, unix.TCP_CONGESTION)
	return strings.TrimRight(name, "\x00"), os.NewSyscallError("getsockopt TCP_CONGESTION", err)
}
