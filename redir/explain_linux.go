package redir

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

const capsRemedy = "run as root, or give the binary its capabilities: " +
	"setcap cap_net_admin,cap_net_raw,cap_net_bind_service+ep /path/to/sluice"

// explainListen says what to do about a listener that could not be opened.
func explainListen(network string, kind Kind, addr netip.AddrPort, err error) error {
	remedy := ""
	switch {
	case errors.Is(err, unix.EPERM):
		remedy = "CAP_NET_ADMIN or CAP_NET_RAW is missing: " + capsRemedy
	case errors.Is(err, unix.EACCES):
		remedy = "a port below net.ipv4.ip_unprivileged_port_start needs CAP_NET_BIND_SERVICE: " + capsRemedy
	case errors.Is(err, unix.EADDRINUSE):
		remedy = "choose another port, or stop the other program"
		if holder := holderOf(network, addr); holder != "" {
			remedy = "held by " + holder + "; " + remedy
		}
	case errors.Is(err, unix.EADDRNOTAVAIL):
		remedy = "this machine does not have the address; name one that it has, or listen on all with :PORT"
	case errors.Is(err, unix.EAFNOSUPPORT):
		remedy = "the kernel has no IPv6; listen on 0.0.0.0 or :PORT"
	case errors.Is(err, unix.ENOPROTOOPT):
		remedy = "the kernel lacks transparent sockets"
	}
	if remedy == "" {
		return fmt.Errorf("listen %s (%s) on %s: %w", network, kind, addr, err)
	}
	return fmt.Errorf("listen %s (%s) on %s: %w: %s", network, kind, addr, err, remedy)
}

// checkRights finds out at the start whether what traffic will need is allowed.
func (o *Options) checkRights() error {
	if err := checkMark(o.Mark); err != nil {
		return err
	}
	if slices.ContainsFunc(o.Inbounds, func(in Inbound) bool { return in.UDP }) {
		return checkRaw()
	}
	return nil
}

// checkRaw: replies from a port that another service holds leave through raw
// sockets; without CAP_NET_RAW each of them would be dropped.
func checkRaw() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
	if err == nil {
		return unix.Close(fd)
	}
	err = os.NewSyscallError("socket", err)
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("open a raw socket for UDP replies: %w: CAP_NET_RAW is missing: %s", err, capsRemedy)
	}
	return err
}

// checkMark: every socket that sends bears the mark.
func checkMark(mark uint32) error {
	if mark == 0 {
		return nil
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	err = os.NewSyscallError("setsockopt SO_MARK", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, int(mark)))
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("mark upstream sockets: %w: CAP_NET_ADMIN or CAP_NET_RAW is missing: %s", err, capsRemedy)
	}
	return err
}
