package socket

import (
	"net/netip"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"sluice/loop"
)

// The calls in this file are made for each connection. None can block, so
// they go to the kernel without telling the scheduler (RawSyscall).

// sockaddr holds any internet socket address.
type sockaddr [unix.SizeofSockaddrInet6]byte

// Accept takes a connection from a listener's queue; it is non-blocking. from is
// unmapped.
func Accept(listener int) (fd int, from netip.AddrPort, errno syscall.Errno) {
	var sa sockaddr
	size := uint32(len(sa))
	n, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(listener), uintptr(unsafe.Pointer(&sa)),
		uintptr(unsafe.Pointer(&size)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	if errno != 0 {
		return -1, netip.AddrPort{}, errno
	}
	from, _, _ = loop.ParseSockaddr(sa[:min(int(size), len(sa))])
	return int(n), from, 0
}

// LocalAddr is fd's own address, unmapped (getsockname(2)).
func LocalAddr(fd int) (netip.AddrPort, error) {
	var sa sockaddr
	size := uint32(len(sa))
	_, _, errno := unix.RawSyscall(unix.SYS_GETSOCKNAME, uintptr(fd), uintptr(unsafe.Pointer(&sa)),
		uintptr(unsafe.Pointer(&size)))
	if errno != 0 {
		return netip.AddrPort{}, os.NewSyscallError("getsockname", errno)
	}
	addr, _, _ := loop.ParseSockaddr(sa[:min(int(size), len(sa))])
	return addr, nil
}

// peerName says whether fd has a peer (getpeername(2)).
func peerName(fd int) syscall.Errno {
	var sa sockaddr
	size := uint32(len(sa))
	_, _, errno := unix.RawSyscall(unix.SYS_GETPEERNAME, uintptr(fd), uintptr(unsafe.Pointer(&sa)),
		uintptr(unsafe.Pointer(&size)))
	return errno
}

// addrOption reads a socket option whose value is a socket address of a size.
func addrOption(fd, level, opt int, size uint32) (netip.AddrPort, error) {
	var sa sockaddr
	_, _, errno := unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(opt),
		uintptr(unsafe.Pointer(&sa)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return netip.AddrPort{}, errno
	}
	addr, _, _ := loop.ParseSockaddr(sa[:min(int(size), len(sa))])
	return addr, nil
}

// Receive is recv(2) of a socket, with flags beside MSG_DONTWAIT.
func Receive(fd int, b []byte, flags int) (int, syscall.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)),
		uintptr(unix.MSG_DONTWAIT|flags), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// Send is send(2) of a socket, with flags beside MSG_DONTWAIT and MSG_NOSIGNAL.
func Send(fd int, b []byte, flags int) (int, syscall.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)),
		uintptr(unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL|flags), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// savedSYNSize is that of the longest headers of a SYN that are of use, in bytes:
// those of IP and of TCP, with all their options.
const savedSYNSize = 60 + 60

// SYNTOS is the type of service, or traffic class, of the SYN that an accepted
// connection came with, without ECN's bits; 0 also where the listener kept none
// (tcp(7) TCP_SAVED_SYN, which can be asked once).
func SYNTOS(fd int) uint8 {
	var b [savedSYNSize]byte
	size := uint32(len(b))
	_, _, errno := unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_TCP, unix.TCP_SAVED_SYN,
		uintptr(unsafe.Pointer(&b)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return 0
	}
	return tosOf(b[:min(int(size), len(b))])
}

// New is socket(2) with the domain's own protocol for kind.
func New(domain, kind int) (int, syscall.Errno) {
	fd, _, errno := unix.RawSyscall(unix.SYS_SOCKET, uintptr(domain), uintptr(kind), 0)
	return int(fd), errno
}

// Unbind takes the port off a UDP socket that has got it by sending; the next
// datagram takes another. It also takes SO_BINDTODEVICE off (__udp_disconnect in
// net/ipv4/udp.c).
func Unbind(fd int) syscall.Errno {
	sa := unix.RawSockaddr{Family: unix.AF_UNSPEC}
	_, _, errno := unix.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&sa)), unsafe.Sizeof(sa))
	return errno
}

// IsQuiet reports whether a UDP socket holds neither datagrams nor errors (poll(2)).
func IsQuiet(fd int) bool {
	p := unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
	var now unix.Timespec
	n, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&p)), 1, uintptr(unsafe.Pointer(&now)), 0, 0, 0)
	return n == 0 && errno == 0
}

// SetInt is setsockopt(2) of an option that takes an int.
func SetInt(fd, level, opt int, value int32) syscall.Errno {
	_, _, errno := unix.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(opt),
		uintptr(unsafe.Pointer(&value)), unsafe.Sizeof(value), 0)
	return errno
}

// SetText is setsockopt(2) of an option that takes a name.
func SetText(fd, level, opt int, name string) syscall.Errno {
	_, _, errno := unix.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(opt),
		uintptr(unsafe.Pointer(unsafe.StringData(name))), uintptr(len(name)), 0)
	return errno
}

// TryBind is bind(2).
func TryBind(fd int, to netip.AddrPort) syscall.Errno {
	var sa sockaddr
	size := loop.PutSockaddr(sa[:], to, 0)
	_, _, errno := unix.RawSyscall(unix.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(&sa)), uintptr(size))
	return errno
}

// Connect is connect(2): EINPROGRESS where it goes on by itself.
func Connect(fd int, to netip.AddrPort) syscall.Errno {
	var sa sockaddr
	size := loop.PutSockaddr(sa[:], to, 0)
	_, _, errno := unix.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&sa)), uintptr(size))
	return errno
}
