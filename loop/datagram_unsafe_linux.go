package loop

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mmsghdr is struct mmsghdr of recvmmsg(2) and sendmmsg(2).
type mmsghdr struct {
	header unix.Msghdr
	length uint32 // bytes received or sent
}

// The calls in this file cannot block (MSG_DONTWAIT), so they go to the kernel
// without telling the scheduler (RawSyscall).

func recvmmsg(fd int, headers []mmsghdr) (int, syscall.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(headers))), uintptr(len(headers)), unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// sendDatagrams sends all headers, or those before the first that fails. It
// fails itself only where that is the first. One header takes the call that is
// cheapest for it.
func sendDatagrams(fd int, headers []mmsghdr) (int, syscall.Errno) {
	if len(headers) > 1 {
		return sendmmsg(fd, headers)
	}
	if h := &headers[0].header; h.Controllen == 0 && h.Iovlen == 1 {
		return sendto(fd, h)
	}
	return sendmsg(fd, &headers[0].header)
}

func sendmmsg(fd int, headers []mmsghdr) (int, syscall.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(headers))), uintptr(len(headers)), unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

func sendmsg(fd int, header *unix.Msghdr) (int, syscall.Errno) {
	_, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(header)), unix.MSG_DONTWAIT)
	if errno != 0 {
		return 0, errno
	}
	return 1, 0
}

// sendto sends a message of one buffer and no control messages: the kernel
// then has no header, no vector and no control messages to copy.
func sendto(fd int, header *unix.Msghdr) (int, syscall.Errno) {
	_, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(header.Iov.Base)),
		uintptr(header.Iov.Len), unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(header.Name)), uintptr(header.Namelen))
	if errno != 0 {
		return 0, errno
	}
	return 1, 0
}

// baseOf is where a payload begins.
func baseOf(payload []byte) *byte { return unsafe.SliceData(payload) }

// bytesOf is what an iovec names.
func bytesOf(iov unix.Iovec) []byte { return unsafe.Slice(iov.Base, iov.Len) }

// singleton is a slice of one header.
func singleton(h *mmsghdr) []mmsghdr { return unsafe.Slice(h, 1) }
