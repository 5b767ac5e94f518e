package socket

import (
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// HasInput reports whether fd has received bytes that were not yet read.
func HasInput(fd int) bool {
	n, err := unix.IoctlGetInt(fd, unix.TIOCINQ)
	return err == nil && n > 0
}

// HasNoPeer reports whether fd is not connected: not yet, or reset, or given up.
// It is the cheapest way to ask (inet_getname in net/ipv4/af_inet.c); HasFailed
// tells more.
func HasNoPeer(fd int) bool {
	return peerName(fd) == unix.ENOTCONN
}

// PeerAddr is the address that fd is connected to, is about to be or was, unmapped;
// invalid for none. getpeername(2) knows of the first alone; SO_PEERNAME takes no size
// above that of the family (sk_getsockopt in net/core/sock.c).
func PeerAddr(fd int) netip.AddrPort {
	for _, size := range []uint32{unix.SizeofSockaddrInet6, unix.SizeofSockaddrInet4} {
		if addr, err := addrOption(fd, unix.SOL_SOCKET, unix.SO_PEERNAME, size); err == nil {
			return addr
		}
	}
	return netip.AddrPort{}
}

// Queued is how many connections wait in the queue of a listener (of one in
// TCP_LISTEN, tcpi_unacked is that: tcp_get_info in net/ipv4/tcp.c).
func Queued(listener int) int {
	info, err := unix.GetsockoptTCPInfo(listener, unix.SOL_TCP, unix.TCP_INFO)
	if err != nil {
		return 0
	}
	return int(info.Unacked)
}

// tcpClose is TCP_CLOSE of the kernel's include/net/tcp_states.h.
const tcpClose = 7

// HasFailed reports whether the connection of fd is gone: reset, or given up.
// poll(2) cannot tell, since a socket that was shut both ways in peace reports
// POLLHUP too, and may still have bytes to deliver.
func HasFailed(fd int) bool {
	info, err := unix.GetsockoptTCPInfo(fd, unix.SOL_TCP, unix.TCP_INFO)
	return err != nil || info.State == tcpClose
}

// HasVanished reports whether the peer of fd has acknowledged nothing for at
// least silence, though something was sent to it again. A reader that stalls
// answers the probes of its closed window, and has not vanished; TCP_USER_TIMEOUT
// would end it too (tcp_probe_timer in net/ipv4/tcp_timer.c).
func HasVanished(fd int, silence time.Duration) bool {
	info, err := unix.GetsockoptTCPInfo(fd, unix.SOL_TCP, unix.TCP_INFO)
	if err != nil {
		return false
	}
	again := info.Backoff > 0 || info.Probes > 0
	return again && info.Unacked+info.Notsent_bytes > 0 && time.Duration(info.Last_ack_recv)*time.Millisecond >= silence
}

// TakeError takes the pending error of fd, 0 for none.
func TakeError(fd int) syscall.Errno {
	n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return unix.EIO
	}
	return syscall.Errno(n)
}

// ErrnoOf finds the errno in err.
func ErrnoOf(err error) (syscall.Errno, bool) {
	switch e := err.(type) {
	case syscall.Errno:
		return e, true
	case interface{ Unwrap() error }:
		return ErrnoOf(e.Unwrap())
	}
	return 0, false
}

// OutOfFDs reports whether err says that the process or the machine has no fd
// left.
func OutOfFDs(err error) bool {
	errno, ok := ErrnoOf(err)
	return ok && (errno == unix.EMFILE || errno == unix.ENFILE)
}
