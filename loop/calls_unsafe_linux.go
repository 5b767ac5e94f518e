package loop

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Recv gathers recv(2) into buf, and returns the call's number for Result.
func (c *Calls) Recv(fd int, buf []byte, flags int) int {
	return c.gather(opRecv, fd, uintptr(unsafe.Pointer(unsafe.SliceData(buf))), len(buf), flags)
}

// Send gathers send(2) of data.
func (c *Calls) Send(fd int, data []byte, flags int) int {
	return c.gather(opSend, fd, uintptr(unsafe.Pointer(unsafe.SliceData(data))), len(data), flags|unix.MSG_NOSIGNAL)
}

// RecvMsg gathers recvmsg(2) into what h names.
func (c *Calls) RecvMsg(fd int, h *unix.Msghdr) int {
	return c.gather(opRecvMsg, fd, uintptr(unsafe.Pointer(h)), 1, 0)
}

// SendMsg gathers sendmsg(2) of what h names.
func (c *Calls) SendMsg(fd int, h *unix.Msghdr) int {
	return c.gather(opSendMsg, fd, uintptr(unsafe.Pointer(h)), 1, unix.MSG_NOSIGNAL)
}

// gather adds a call. What address points to is on the heap, by the pragma, and stays
// where it is; that it stays alive until Make is up to the caller.
//
//go:uintptrescapes
func (c *Calls) gather(op uint8, fd int, address uintptr, length, flags int) int {
	*c.ring.place(c.n) = submission{op: op, fd: int32(fd), addr: uint64(address), length: uint32(length),
		opFlags: uint32(flags | unix.MSG_DONTWAIT), user: c.made + uint64(c.n)}
	c.n++
	return c.n - 1
}
