package inbound

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"sluice/redir/socket"
	"sluice/redir/sockets"
)

// explainListen says what to do about a listener that could not be opened.
func explainListen(network string, kind Kind, addr netip.AddrPort, err error) error {
	remedy := ""
	switch {
	case errors.Is(err, unix.EPERM):
		remedy = "CAP_NET_ADMIN or CAP_NET_RAW is missing: " + socket.CapsRemedy
	case errors.Is(err, unix.EACCES):
		remedy = "a port below net.ipv4.ip_unprivileged_port_start needs CAP_NET_BIND_SERVICE: " + socket.CapsRemedy
	case errors.Is(err, unix.EADDRINUSE):
		remedy = sockets.InUse(network, addr)
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
