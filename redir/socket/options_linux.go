package socket

import (
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Family is AF_INET or AF_INET6, as a has it.
func Family(a netip.Addr) int {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// Option is one call of setsockopt(2) with an int.
type Option struct {
	Name       string // in errors
	Level, Opt int
	Value      int
}

// SetOptions sets all, until one fails.
func SetOptions(fd int, options []Option) error {
	for _, o := range options {
		if err := unix.SetsockoptInt(fd, o.Level, o.Opt, o.Value); err != nil {
			return os.NewSyscallError("setsockopt "+o.Name, err)
		}
	}
	return nil
}

// Transparent lets a socket have an address that the machine does not
// (ip(7) IP_TRANSPARENT; needs CAP_NET_ADMIN or CAP_NET_RAW).
func Transparent(addr netip.Addr) Option {
	if addr.Is4() {
		return Option{"IP_TRANSPARENT", unix.SOL_IP, unix.IP_TRANSPARENT, 1}
	}
	return Option{"IPV6_TRANSPARENT", unix.SOL_IPV6, unix.IPV6_TRANSPARENT, 1}
}

// freebind lets a socket have an address before the machine does, or one that
// duplicate address detection has not finished with (ip(7) IP_FREEBIND; for IPv6
// Linux 4.15).
func freebind(addr netip.Addr) Option {
	if addr.Is4() {
		return Option{"IP_FREEBIND", unix.SOL_IP, unix.IP_FREEBIND, 1}
	}
	return Option{"IPV6_FREEBIND", unix.SOL_IPV6, unix.IPV6_FREEBIND, 1}
}

// CapsRemedy says how sluice gets the capabilities that its sockets need.
const CapsRemedy = "run as root, or give the binary its capabilities: " +
	"setcap cap_net_admin,cap_net_raw,cap_net_bind_service+ep /path/to/sluice"

// SetKeepalive watches for a peer that vanished, or no longer does. Best effort:
// a conn lives without it. TCP_KEEPIDLE comes last, since setting it counts the
// silence that was (tcp_sock_set_keepidle_locked), where SO_KEEPALIVE begins anew.
func SetKeepalive(fd int, k Keepalive) {
	if !k.On() {
		SetInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0)
		return
	}
	SetInt(fd, unix.SOL_TCP, unix.TCP_KEEPINTVL, int32(k.Interval/time.Second))
	SetInt(fd, unix.SOL_TCP, unix.TCP_KEEPCNT, int32(k.Count))
	SetInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
	SetInt(fd, unix.SOL_TCP, unix.TCP_KEEPIDLE, int32(k.Idle/time.Second))
}

// SetReceiveBuffer and SetSendBuffer set a socket buffer, in bytes, beyond the
// sysctl's limit where that is allowed (CAP_NET_ADMIN, socket(7)), else up to it.
func SetReceiveBuffer(fd, size int) { setBuffer(fd, unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, size) }

// SetSendBuffer is SetReceiveBuffer for the other direction.
func SetSendBuffer(fd, size int) { setBuffer(fd, unix.SO_SNDBUFFORCE, unix.SO_SNDBUF, size) }

func setBuffer(fd, force, plain, size int) {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, force, size) != nil {
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, plain, size)
	}
}

// SetLinger0 makes close send a RST (socket(7) SO_LINGER).
func SetLinger0(fd int) {
	unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
}

// Reset closes fd, which no reactor knows, with a RST.
func Reset(fd int) {
	SetLinger0(fd)
	unix.Close(fd)
}
